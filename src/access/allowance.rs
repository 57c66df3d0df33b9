//! How much of the model people may use.

/// What each person may use in a day (UTC); `None`: as much as they like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Allowance {
    /// Questions to the model.
    pub turns: Option<i64>,
    /// Tokens that are read and written for them.
    pub tokens: Option<i64>,
    /// What they cost, in the unit of the prices.
    pub cost: Option<f64>,
}
