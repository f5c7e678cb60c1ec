//! What is known about the values of expressions.

use super::value::{Abstract, FOLLOWED, both, compared, said, within};
use super::walk::Walk;
use minijinja::machinery::ast::{BinOpKind, CallArg, CompareOpKind, Expr, UnaryOpKind};
use minijinja::value::Value;

impl<'text> Walk<'text> {
    /// What is known about the value of an expression.
    pub(super) fn value(&self, expression: &'text Expr<'text>) -> Abstract {
        match expression {
            Expr::Var(name) => self.variable(name.id),
            Expr::Const(constant) => Abstract::known(constant.value.clone()),
            Expr::UnaryOp(operation) => {
                let value = self.value(&operation.expr);
                match operation.op {
                    UnaryOpKind::Not => said(value.truth().map(|truth| !truth)),
                    UnaryOpKind::Neg => Abstract { depends: value.depends, ..Abstract::default() },
                }
            }
            Expr::BinOp(operation) => self.binary(operation.op, &operation.left, &operation.right),
            Expr::Compare(comparison) => {
                let mut left = self.value(&comparison.expr);
                let mut all = Some(true);
                for next in &comparison.ops {
                    let right = self.value(&next.expr);
                    all = both(all, compared(next.op, &left, &right));
                    left = right;
                }
                said(all)
            }
            Expr::IfExpr(condition) => {
                let otherwise = || condition.false_expr.as_ref().map(|other| self.value(other)).unwrap_or_default();
                match self.value(&condition.test_expr).truth() {
                    Some(true) => self.value(&condition.true_expr),
                    Some(false) => otherwise(),
                    None => self.value(&condition.true_expr).or(&otherwise()),
                }
            }
            Expr::Filter(filter) => {
                let value = filter.expr.as_ref().map(|value| self.value(value)).unwrap_or_default();
                self.filtered(expression, value)
            }
            Expr::Test(test) => {
                let (value, argument) = (self.value(&test.expr), test.args.first().map(|argument| self.argument(argument)));
                let (Some(value), Some(Some(argument))) = (value.known, argument.map(|argument| argument.known)) else {
                    return Abstract::default();
                };
                said(match (test.name, value.as_str(), argument.as_str()) {
                    ("startingwith", Some(value), Some(begin)) => Some(value.starts_with(begin)),
                    ("endingwith", Some(value), Some(end)) => Some(value.ends_with(end)),
                    ("in", ..) => within(&value, &argument),
                    _ => None,
                })
            }
            Expr::Slice(slice) => {
                let value = self.value(&slice.expr);
                let nothing = value.is_nothing();
                Abstract { depends: value.depends, known: value.known.filter(|_| nothing), ..Abstract::default() }
            }
            Expr::GetAttr(attribute) => Abstract { depends: self.value(&attribute.expr).depends, ..Abstract::default() },
            Expr::GetItem(item) => {
                let depends = self.value(&item.expr).depends || self.value(&item.subscript_expr).depends;
                Abstract { depends, ..Abstract::default() }
            }
            Expr::Call(call) => {
                let arguments: Vec<Abstract> = call.args.iter().map(|argument| self.argument(argument)).collect();
                if matches!(&call.expr, Expr::Var(name) if name.id == "range")
                    && let [Abstract { known: Some(count), .. }] = &arguments[..]
                    && count.as_i64() == Some(0)
                {
                    return Abstract::known(Value::from(Vec::<Value>::new()));
                }
                let depends = arguments.iter().any(|argument| argument.depends) || self.value(&call.expr).depends;
                Abstract { depends, ..Abstract::default() }
            }
            Expr::List(list) => self.list(&list.items),
            Expr::Tuple(tuple) => self.list(&tuple.items),
            Expr::Map(map) => {
                let depends = map.values.iter().chain(&map.keys).any(|part| self.value(part).depends);
                Abstract { depends, ..Abstract::default() }
            }
        }
    }

    fn list(&self, items: &'text [Expr<'text>]) -> Abstract {
        let items: Vec<Abstract> = items.iter().map(|item| self.value(item)).collect();
        let depends = items.iter().any(|item| item.depends);
        let known: Option<Vec<Value>> = items.into_iter().map(|item| item.known).collect();
        Abstract { depends, known: known.map(Value::from), ..Abstract::default() }
    }

    fn argument(&self, argument: &'text CallArg<'text>) -> Abstract {
        match argument {
            CallArg::Pos(value) | CallArg::Kwarg(_, value) | CallArg::PosSplat(value) | CallArg::KwargSplat(value) => {
                self.value(value)
            }
        }
    }

    fn binary(&self, operation: BinOpKind, left: &'text Expr<'text>, right: &'text Expr<'text>) -> Abstract {
        let (one, other) = (self.value(left), self.value(right));
        let comparison = match operation {
            BinOpKind::Eq => CompareOpKind::Eq,
            BinOpKind::Ne => CompareOpKind::Ne,
            BinOpKind::Lt => CompareOpKind::Lt,
            BinOpKind::Lte => CompareOpKind::Lte,
            BinOpKind::Gt => CompareOpKind::Gt,
            BinOpKind::Gte => CompareOpKind::Gte,
            BinOpKind::In => CompareOpKind::In,
            BinOpKind::ScOr => {
                return match one.truth() {
                    Some(true) => one,
                    Some(false) => other,
                    None => {
                        let truth = other.truth().filter(|truth| *truth);
                        Abstract { truth, ..one.or(&other) }
                    }
                };
            }
            // If the first value is empty, the `and` is the template's own condition for that case.
            BinOpKind::ScAnd => {
                return match one.truth() {
                    Some(true) => other,
                    Some(false) => Abstract { depends: false, ..one },
                    None => {
                        let truth = other.truth().filter(|truth| !*truth);
                        Abstract { depends: other.depends, truth, ..Abstract::default() }
                    }
                };
            }
            BinOpKind::Concat => {
                let joined = one.text().zip(other.text()).map(|(one, other)| one + &other);
                let known = joined.filter(|text| text.len() <= FOLLOWED).map(Value::from);
                return Abstract { depends: one.depends || other.depends, known, ..Abstract::default() };
            }
            _ => return Abstract { depends: one.depends || other.depends, ..Abstract::default() },
        };
        said(compared(comparison, &one, &other))
    }

    /// What is known about a value after a filter.
    pub(super) fn filtered(&self, filter: &'text Expr<'text>, value: Abstract) -> Abstract {
        let Expr::Filter(filter) = filter else { return Abstract { depends: value.depends, ..Abstract::default() } };
        let arguments: Vec<Abstract> = filter.args.iter().map(|argument| self.argument(argument)).collect();
        match filter.name {
            "default" => {
                let empty_too = arguments.get(1).is_some_and(|flag| flag.truth() != Some(false));
                let other = arguments.into_iter().next().unwrap_or(Abstract::known(Value::from("")));
                match &value.known {
                    Some(known) if known.is_undefined() || (empty_too && !known.is_true()) => other,
                    Some(_) => value,
                    None => value.or(&other),
                }
            }
            "length" => Abstract { known: value.known.and_then(|known| known.len()).map(Value::from), ..Abstract::default() },
            name => {
                let nothing = value.is_nothing();
                let known = match (name, value.known) {
                    ("lower" | "upper" | "trim" | "replace" | "join", Some(_)) if nothing => Some(Value::from("")),
                    ("first" | "last", Some(_)) if nothing => Some(Value::UNDEFINED),
                    // A value that is joined, trimmed or changed in another way is not tracked.
                    _ => None,
                };
                Abstract {
                    depends: value.depends || arguments.iter().any(|argument| argument.depends),
                    known,
                    ..Abstract::default()
                }
            }
        }
    }
}
