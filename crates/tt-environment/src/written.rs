//! Values as they are written in a file, where the type that the model uses belongs to somebody else: durations, URLs,
//! timestamps, and a few texts that stay texts once they are known to be good.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::{Host, Url};

use crate::scalar::{Scalar, parsed_traits, text_type};
use crate::{InvalidValue, Minutes};

/// A length of time in one unit: `500ms`, `15s`, `10m`, `24h`, `14d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl Span {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidValue> {
        let refused = || InvalidValue::new(text, Self::EXPECTED);
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| refused())?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(refused()),
        };
        number
            .checked_mul(milliseconds)
            .map(Duration::from_millis)
            .map(Self)
            .ok_or_else(refused)
    }
}

impl Scalar for Span {
    const EXPECTED: &'static str = "a duration such as 500ms, 15s, 10m, 24h or 14d";
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0.as_millis())
    }
}

parsed_traits!(Span);

/// A length of time that is a whole number of minutes: `90s` is none, `10m`, `1h` and `120s` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WholeMinutes(pub(crate) Minutes);

impl WholeMinutes {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidValue> {
        let refused = || InvalidValue::new(text, Self::EXPECTED);
        let Span(duration) = Span::parse(text).map_err(|_| refused())?;
        if duration.subsec_nanos() != 0 || !duration.as_secs().is_multiple_of(60) {
            return Err(refused());
        }
        let minutes = u32::try_from(duration.as_secs() / 60).map_err(|_| refused())?;
        Ok(Self(Minutes::new(minutes)))
    }
}

impl Scalar for WholeMinutes {
    const EXPECTED: &'static str = "a duration in whole minutes such as 10m or 1h";
}

impl fmt::Display for WholeMinutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

parsed_traits!(WholeMinutes);

/// An address to speak HTTP to. A password in it would end up in messages, so none is accepted, and none is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpUrl(pub(crate) Url);

impl HttpUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.contains('@') {
            return Err(InvalidValue::unseen(Self::EXPECTED));
        }
        let refused = || InvalidValue::new(text, Self::EXPECTED);
        let url = Url::parse(text).map_err(|_| refused())?;
        if matches!(url.scheme(), "http" | "https") && url.has_host() {
            Ok(Self(url))
        } else {
            Err(refused())
        }
    }
}

impl Scalar for HttpUrl {
    const EXPECTED: &'static str = "a URL that starts with http:// or https:// and holds no user name or password";
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

parsed_traits!(HttpUrl);

/// Whether the address can only be this very machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// A moment, with its offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timestamp(pub(crate) OffsetDateTime);

impl Timestamp {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidValue> {
        OffsetDateTime::parse(text, &Rfc3339)
            .map(Self)
            .map_err(|_| InvalidValue::new(text, Self::EXPECTED))
    }
}

impl Scalar for Timestamp {
    const EXPECTED: &'static str = "a moment as RFC 3339 writes it, such as 2026-12-20T00:00:00Z";
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

parsed_traits!(Timestamp);

text_type!(
    /// The path of a request, with its query when it has one.
    pub(crate) RequestPath,
    |text| text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic() && b != b'#'),
    "the path of a request: a slash first, no spaces and no fragment"
);

text_type!(
    /// What the keys of a bucket begin with. The slash at the end keeps `tracker/` apart from `tracker-old/`.
    pub(crate) KeyPrefix,
    |text| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"!_.*'()-/".contains(&b);
        text.is_empty() || (text.ends_with('/') && !text.starts_with('/') && text.len() <= 512 && text.bytes().all(plain))
    },
    "a prefix of keys: empty, or ending in a slash and not starting with one"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_number_and_one_unit() {
        let table = [
            ("500ms", Some(Duration::from_millis(500))),
            ("15s", Some(Duration::from_secs(15))),
            ("10m", Some(Duration::from_mins(10))),
            ("24h", Some(Duration::from_hours(24))),
            ("14d", Some(Duration::from_hours(14 * 24))),
            ("0s", Some(Duration::ZERO)),
            ("10", None),
            ("10 m", None),
            ("1.5m", None),
            ("1h30m", None),
            ("-5s", None),
            ("m", None),
            ("", None),
            ("99999999999999999999d", None),
            ("18446744073709551615d", None),
        ];
        for (text, expected) in table {
            assert_eq!(
                Span::parse(text).ok().map(|Span(duration)| duration),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn minutes_are_whole_whatever_the_unit() {
        for (text, minutes) in [
            ("10m", Some(10)),
            ("120s", Some(2)),
            ("1d", Some(1440)),
            ("90s", None),
            ("500ms", None),
        ] {
            assert_eq!(
                WholeMinutes::parse(text)
                    .ok()
                    .map(|WholeMinutes(minutes)| minutes.get()),
                minutes,
                "{text}"
            );
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, expected) in [
            ("http://127.0.0.1:4566", true),
            ("http://127.9.0.1", true),
            ("http://[::1]:4566", true),
            ("http://localhost:4566", true),
            ("http://localhost.example.org", false),
            ("http://127.0.0.1.example.org", false),
            ("https://ecs.eu-central-1.amazonaws.com", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let error = HttpUrl::parse("https://ci:hunter2@example.org").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
