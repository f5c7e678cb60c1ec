//! Submitted forms: parsing them, running them once, and answering.
//!
//! A handler reads every field from [`Fields`], which stores the errors, so that an answer shows all of them at once, together
//! with the rules that the domain found violated.

use crate::http::auth::caller::Caller;
use crate::http::auth::guard;
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::http::request::body;
use crate::http::request::messages::of_value;
use crate::pages::layout::toast;
use actix_web::dev::Payload;
use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::ParseError;
use bootledger_port::{CommandError, Context, Receipt};
use futures::future::{FutureExt, LocalBoxFuture};
use std::fmt::Display;
use std::str::FromStr;

/// The fields of a form, and their errors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    pairs: Vec<(String, String)>,
    broken: Vec<ProblemError>,
}

impl FromRequest for Fields {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move {
            if !request.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
                return Err(Error::UnsupportedMediaType("application/x-www-form-urlencoded"));
            }
            let body = body::read_form(&request, payload).await?;
            Ok(Self::new(form_urlencoded::parse(&body).into_owned().collect()))
        }
        .boxed_local()
    }
}

impl Fields {
    /// Fields with these values.
    pub(crate) fn new(pairs: Vec<(String, String)>) -> Self {
        Self { pairs, broken: vec![] }
    }

    /// The fields with another value for one of them.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.pairs.retain(|(known, _)| known != name);
        self.pairs.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A field's text, trimmed; empty if it was not sent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }

    /// Whether a field was sent, empty or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(known, _)| known == name)
    }

    /// A field's text as it was sent, with line ends as `\n`.
    pub(crate) fn lines(&self, name: &str) -> String {
        self.pairs.iter().find(|(known, _)| known == name).map_or(String::new(), |(_, value)| value.replace("\r\n", "\n"))
    }

    /// All values of a field that may occur several times.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// All values of a field that may occur several times, as they were sent, with line ends as `\n`.
    pub(crate) fn all_lines(&self, name: &str) -> impl Iterator<Item = String> {
        self.pairs.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.replace("\r\n", "\n"))
    }

    /// Whether a box is ticked.
    pub(crate) fn ticked(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    /// Parses a field; `None` if it is empty, or invalid, which is stored as an error.
    pub(crate) fn read<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name);
        if text.is_empty() {
            return None;
        }
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let message = of_value(&error, text);
                self.refuse(name, Rule::Malformed, message);
                None
            }
        }
    }

    /// Parses a required field. `label` is its label on the page.
    pub(crate) fn required<T: FromStr<Err: Display>>(&mut self, name: &str, label: &str) -> Option<T> {
        if self.text(name).is_empty() {
            self.refuse(name, Rule::Missing, format!("{label} is missing"));
            return None;
        }
        self.read(name)
    }

    /// Parses a field with a list of values, one on each line or separated by commas.
    pub(crate) fn read_list<T: FromStr<Err = ParseError>>(&mut self, name: &str) -> Vec<T> {
        let lines = self.lines(name);
        let mut values = vec![];
        for part in lines.split(['\n', ',']).map(str::trim).filter(|part| !part.is_empty()) {
            match part.parse::<T>() {
                Ok(value) => values.push(value),
                Err(error) => self.refuse(name, Rule::Malformed, error.to_string()),
            }
        }
        values
    }

    /// Parses a field with a list of words, separated by spaces, commas or line ends.
    pub(crate) fn read_words<T: FromStr<Err = ParseError>>(&mut self, name: &str) -> Vec<T> {
        let lines = self.lines(name);
        let mut values = vec![];
        for word in lines.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()) {
            match word.parse::<T>() {
                Ok(value) => values.push(value),
                Err(error) => self.refuse(name, Rule::Malformed, error.to_string()),
            }
        }
        values
    }

    /// Stores an error.
    pub(crate) fn refuse(&mut self, name: &str, rule: Rule, message: impl Into<String>) {
        self.broken.push(ProblemError::new(name, rule, message));
    }

    /// Stores an error of a rule that another check has reported, under the name of a field of this form.
    pub(crate) fn add(&mut self, name: &str, error: impl Into<ProblemError>) {
        self.broken.push(ProblemError { field: name.to_owned(), ..error.into() });
    }

    /// Removes a prefix from the fields of the errors: in a form for a part, the rules name fields from the whole.
    pub(crate) fn within(&mut self, prefix: &str) {
        for error in &mut self.broken {
            if let Some(field) = error.field.strip_prefix(prefix) {
                error.field = field.to_owned();
            }
        }
    }

    /// The errors so far.
    pub(crate) fn broken(&self) -> &[ProblemError] {
        &self.broken
    }

    /// Adds the errors of a refused command. Any other failure is an error of the request.
    pub(crate) fn refused(&mut self, error: CommandError) -> Result<(), Error> {
        match error {
            CommandError::Refused(broken) => {
                self.broken.extend(broken.into_iter().map(ProblemError::from));
                Ok(())
            }
            other => Err(other.into()),
        }
    }

    /// The context of the form's command. It contains the form's key, so that a form that is sent twice takes effect once.
    pub(crate) fn context(&self, caller: &Caller) -> Context {
        let key =
            Some(self.text("key")).filter(|key| (1..=100).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()));
        key.map_or_else(|| caller.context(), |key| caller.context_of_form(key))
    }
}

/// The answer to a form whose command succeeded: 303 to a page, once the views show the change.
pub(crate) async fn done(backend: &mut Backend, receipt: &Receipt, path: &str) -> HttpResponse {
    // If that takes too long, the live page shows the change later.
    backend.reach(receipt.position).await;
    let mut response = see_other(path);
    toast::carry(&mut response, receipt.position);
    response
}

/// The answer 303 to one of our own paths.
pub(crate) fn see_other(path: &str) -> HttpResponse {
    let mut response = HttpResponse::SeeOther().finish();
    if let Ok(value) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

/// A path that a request named as the next page, if it is one of our own; otherwise `/`.
pub(crate) fn local(path: &str) -> &str {
    guard::local(path).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::values::name::Name;

    #[test]
    fn all_errors_of_a_form_are_shown_at_once() {
        let pairs = [("a", "x y"), ("b", " "), ("c", "good")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut fields = Fields::new(pairs.to_vec());
        assert_eq!(fields.required::<Name>("a", "A name"), None);
        assert_eq!(fields.required::<Name>("b", "Another"), None);
        assert_eq!(fields.required::<Name>("c", "A third").map(|name| name.to_string()), Some("good".to_owned()));
        let rules: Vec<(&str, &str)> = fields.broken().iter().map(|error| (error.field.as_str(), error.rule.as_str())).collect();
        assert_eq!(rules, [("a", "malformed"), ("b", "missing")]);
    }

    #[test]
    fn no_redirect_leads_to_another_host() {
        for foreign in ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\nb", ""] {
            assert_eq!(local(foreign), "/", "{foreign:?}");
        }
        assert_eq!(local("/devices?q=a"), "/devices?q=a");
    }
}
