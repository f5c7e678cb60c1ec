//! The moment in the log that a query is about.

/// A moment in the log: the present, or the moment when the log ended at a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum At {
    /// The newest state that the views show.
    #[default]
    Now,
    /// The state after the event at this position was applied.
    Position(i64),
}

impl At {
    /// The parameter `$at` of every temporal query:
    /// `($at::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $at AND (valid_to IS NULL OR valid_to > $at))`.
    pub fn position(self) -> Option<i64> {
        match self {
            Self::Now => None,
            Self::Position(position) => Some(position),
        }
    }
}
