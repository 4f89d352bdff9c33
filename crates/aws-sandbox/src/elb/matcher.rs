//! Which answers of a health check count as success: `200`, `200,202` or `200-299` (Elastic Load Balancing API Reference, Matcher).

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The status codes a healthy target answers with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Matcher {
    text: String,
    ranges: Vec<RangeInclusive<u16>>,
}

impl Matcher {
    pub(crate) fn accepts(&self, status: u16) -> bool {
        self.ranges.iter().any(|range| range.contains(&status))
    }
}

impl Default for Matcher {
    fn default() -> Self {
        Self {
            text: String::from("200"),
            ranges: vec![200..=200],
        }
    }
}

impl FromStr for Matcher {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || format!("Health check matcher HTTP code '{text}' must be within '200-499' inclusive");
        let code = |text: &str| {
            text.trim()
                .parse()
                .ok()
                .filter(|code| (200..=499).contains(code))
                .ok_or_else(refused)
        };
        let ranges = text
            .split(',')
            .map(|part| match part.split_once('-') {
                Some((low, high)) => Ok(code(low)?..=code(high)?),
                None => code(part).map(|only| only..=only),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.to_owned(),
            ranges,
        })
    }
}

impl TryFrom<String> for Matcher {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Matcher> for String {
    fn from(matcher: Matcher) -> Self {
        matcher.text
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lists_and_ranges() {
        let matcher: Matcher = "200-204, 301".parse().unwrap();
        let accepted: Vec<u16> = (100..500).filter(|code| matcher.accepts(*code)).collect();
        assert_eq!(accepted, [200, 201, 202, 203, 204, 301]);
        for wrong in ["", "ok", "99", "500", "200-", "200-600"] {
            assert!(wrong.parse::<Matcher>().is_err(), "{wrong}");
        }
    }
}
