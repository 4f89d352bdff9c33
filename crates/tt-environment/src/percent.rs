//! A share, in tenths of a percent: the precision ECS keeps, and exact where a float would not be.

use std::fmt;

use crate::InvalidValue;

const EXPECTED: &str = "a percentage above 0 and at most 100, with at most one decimal";

/// A share above 0 % and at most 100 %, exact to a tenth of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent {
    tenths: u16,
}

impl Percent {
    /// Everything.
    pub const ALL: Self = Self { tenths: 1000 };

    /// Accepts `10%`, `10 %`, `10` and `0.5%`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let number = text.strip_suffix('%').unwrap_or(text).trim();
        let refused = || InvalidValue::new(text, EXPECTED);
        if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(refused());
        }
        let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
        if tenth.len() != 1 {
            return Err(refused());
        }
        let whole: u16 = whole.parse().map_err(|_| refused())?;
        let tenth: u16 = tenth.parse().map_err(|_| refused())?;
        let tenths = whole
            .checked_mul(10)
            .and_then(|tenths| tenths.checked_add(tenth))
            .ok_or_else(refused)?;
        Self::from_tenths(tenths).ok_or_else(refused)
    }

    /// So many tenths of a percent: 1 to 1000.
    pub const fn from_tenths(tenths: u16) -> Option<Self> {
        if tenths >= 1 && tenths <= 1000 {
            Some(Self { tenths })
        } else {
            None
        }
    }

    /// In tenths of a percent: 10 % is 100.
    pub const fn tenths(self) -> u16 {
        self.tenths
    }

    /// In percent, as ECS's API takes it: 10 % is 10.0.
    pub fn as_f64(self) -> f64 {
        f64::from(self.tenths) / 10.0
    }

    /// As a fraction of one: 10 % is 0.1.
    pub fn as_fraction(self) -> f64 {
        f64::from(self.tenths) / 1000.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tenths / 10, self.tenths % 10) {
            (whole, 0) => write!(f, "{whole} %"),
            (whole, tenth) => write!(f, "{whole}.{tenth} %"),
        }
    }
}

crate::scalar::parsed_traits!(Percent);

impl crate::scalar::Scalar for Percent {
    const EXPECTED: &'static str = EXPECTED;
    const NUMBERS: bool = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_exact_and_bounded() {
        let table = [
            ("10%", Some(100)),
            ("10 %", Some(100)),
            ("10", Some(100)),
            ("0.5%", Some(5)),
            ("100%", Some(1000)),
            ("0%", None),
            ("100.1%", None),
            ("0.05%", None),
            ("-1%", None),
            ("+1", None),
            (".5", None),
            ("5.", None),
            ("ten", None),
            ("", None),
            ("99999999", None),
        ];
        for (text, tenths) in table {
            assert_eq!(Percent::parse(text).ok().map(Percent::tenths), tenths, "{text}");
        }
    }

    #[test]
    fn a_percentage_reads_back_as_it_prints() {
        for tenths in 1..=1000 {
            let percent = Percent::from_tenths(tenths).unwrap();
            assert_eq!(Percent::parse(&percent.to_string()), Ok(percent));
        }
    }
}
