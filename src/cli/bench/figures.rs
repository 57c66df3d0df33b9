//! A figure and its goal; as a table for people or JSON lines for machines.

use serde_json::json;

/// One measured figure.
pub(super) struct Figure {
    /// What was measured.
    pub name: String,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// The most it should be; none for context.
    pub goal: Option<f64>,
}

impl Figure {
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str, goal: impl Into<Option<f64>>) -> Self {
        Self { name: name.into(), value, unit, goal: goal.into() }
    }
}

/// Prints figures; whether all goals are met.
pub(super) fn print(figures: &[Figure], as_json: bool) -> bool {
    for f in figures {
        if as_json {
            println!("{}", json!({ "name": f.name, "value": f.value, "unit": f.unit, "goal": f.goal }));
            continue;
        }
        let goal = match f.goal {
            Some(goal) if f.value <= goal => format!("goal <= {goal} {}: met", f.unit),
            Some(goal) => format!("goal <= {goal} {}: MISSED", f.unit),
            None => String::new(),
        };
        println!("{:<64} {:>10.2} {:<6} {goal}", f.name, f.value, f.unit);
    }
    figures.iter().all(|f| f.goal.is_none_or(|goal| f.value <= goal))
}

/// The value below which this share of the samples lies.
pub(super) fn percentile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let at = ((samples.len() as f64 * share).ceil() as usize).clamp(1, samples.len().max(1)) - 1;
    samples.get(at).copied().unwrap_or_default()
}
