//! Durations as project sheets write them: `5d`, `1w 2d`, `4h`, `~3d`, `e2d`.

/// Hours of a working day and days of a working week, as Smartsheet's project settings have them by default.
const HOURS: f64 = 8.0;
const WEEK: f64 = 5.0;

/// The number of working days that a duration says; `None` when it is no duration. Elapsed (`e5d`) and estimated (`~5d`) time counts
/// the same.
pub fn days(text: &str) -> Option<f64> {
    let text = text.trim().trim_start_matches('~').trim_start_matches(['e', 'E']).trim().to_lowercase();
    let mut days = 0.0;
    let mut parts = 0;
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        days += number
            * match &rest[..letters] {
                "w" | "week" | "weeks" => WEEK,
                "" | "d" | "day" | "days" => 1.0,
                "h" | "hour" | "hours" => 1.0 / HOURS,
                "m" | "min" | "minute" | "minutes" => 1.0 / (HOURS * 60.0),
                "s" | "second" | "seconds" => 1.0 / (HOURS * 3600.0),
                _ => return None,
            };
        parts += 1;
        rest = rest[letters..].trim_start_matches([' ', ',']);
    }
    (parts > 0).then_some(days)
}

/// The same duration with the letters that Smartsheet reads: `1.5 days` as `1.5d`, `1 week, 2 days` as `1w 2d`.
pub fn short(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.trim();
    while let Some(c) = rest.chars().next() {
        let length = rest.find(|d: char| d.is_alphabetic() != c.is_alphabetic()).unwrap_or(rest.len());
        let (part, behind) = rest.split_at(length);
        match part.to_lowercase().as_str() {
            unit @ ("week" | "weeks" | "day" | "days" | "hour" | "hours" | "min" | "minute" | "minutes" | "second" | "seconds") => {
                out = out.trim_end().to_owned();
                out.push_str(&unit[..1]);
            }
            _ => out.push_str(&part.replace(',', " ")),
        }
        rest = behind;
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{days, short};

    #[test]
    fn units_that_are_written_out_become_letters() {
        let cases =
            [("3 days", "3d"), ("2 weeks", "2w"), ("1.5 days", "1.5d"), ("1 week, 2 days", "1w 2d"), ("1w 2d", "1w 2d"), ("~3d", "~3d")];
        for (text, right) in cases {
            assert_eq!((short(text).as_str(), days(&short(text))), (right, days(text)), "{text}");
        }
        assert_eq!((short("e2d"), short("90 minutes"), short("4 hours")), ("e2d".into(), "90m".into(), "4h".into()));
    }

    #[test]
    fn durations_are_working_days() {
        let read = ["5d", "5d 4h", "2w", "~3d", "e2d", "0", "1 day", "90m", "TBD", "", "5x"].map(days);
        let right = [Some(5.0), Some(5.5), Some(10.0), Some(3.0), Some(2.0), Some(0.0), Some(1.0), Some(0.1875), None, None, None];
        assert_eq!(read, right);
    }
}
