//! A form: what a person is asked where one is better than words.

/// A few questions, answered at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// What comes back in [`crate::What::Filled`].
    pub action: String,
    /// What it is about, in two or three words.
    pub title: String,
    /// What its button says.
    pub submit: String,
    /// The questions, from top to bottom.
    pub fields: Vec<Field>,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What the answer comes back under.
    pub name: &'static str,
    /// The question.
    pub label: String,
    /// What helps to answer it; may be empty.
    pub hint: String,
    /// What stands there already.
    pub value: String,
    /// Whether several lines are expected.
    pub long: bool,
    /// Whether it may stay empty.
    pub optional: bool,
}
