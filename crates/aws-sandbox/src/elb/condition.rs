//! When a rule applies (Elastic Load Balancing API Reference, `RuleCondition`).

use std::net::Ipv4Addr;

use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};

/// One condition; every one of a rule must hold, and of a condition's values one must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Condition {
    HostHeader(Vec<String>),
    PathPattern(Vec<String>),
    HttpHeader {
        name: String,
        values: Vec<String>,
    },
    HttpRequestMethod(Vec<String>),
    /// Pairs of an optional key and a value.
    QueryString(Vec<(Option<String>, String)>),
    SourceIp(Vec<Cidr>),
}

/// A block of IPv4 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cidr {
    pub(crate) base: Ipv4Addr,
    pub(crate) bits: u8,
}

/// What conditions look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) method: &'a Method,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) from: Ipv4Addr,
}

impl Condition {
    pub(crate) fn holds(&self, seen: &Seen<'_>) -> bool {
        match self {
            Self::HostHeader(patterns) => patterns.iter().any(|pattern| matches_any_case(pattern, seen.host)),
            Self::PathPattern(patterns) => patterns.iter().any(|pattern| matches(pattern, seen.path)),
            Self::HttpHeader { name, values } => seen
                .headers
                .get_all(name)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .any(|sent| values.iter().any(|pattern| matches_any_case(pattern, sent))),
            Self::HttpRequestMethod(methods) => methods.iter().any(|method| method == seen.method.as_str()),
            Self::QueryString(pairs) => url::form_urlencoded::parse(seen.query.as_bytes()).any(|(name, sent)| {
                pairs.iter().any(|(key, value)| {
                    key.as_deref().is_none_or(|key| matches_any_case(key, &name)) && matches_any_case(value, &sent)
                })
            }),
            Self::SourceIp(blocks) => blocks.iter().any(|block| block.contains(seen.from)),
        }
    }
}

impl Cidr {
    /// `10.0.0.0/8`; the bits may be at most 32.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (base, bits) = text.split_once('/')?;
        let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
        Some(Self {
            base: base.parse().ok()?,
            bits,
        })
    }

    fn contains(self, ip: Ipv4Addr) -> bool {
        let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
        ip.to_bits() & mask == self.base.to_bits() & mask
    }
}

fn matches_any_case(pattern: &str, text: &str) -> bool {
    matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

/// `*` stands for any characters or none, `?` for exactly one. Greedy with one place to go back to, so never exponential.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == text[t] => {
                p += 1;
                t += 1;
            }
            Some(_) | None => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, t));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        let table = [
            ("/api/*", "/api/tasks", true),
            ("/api/*", "/api/", true),
            ("/api/*", "/ap", false),
            ("*", "", true),
            ("/?/x", "/a/x", true),
            ("/?/x", "//x", false),
            ("*.js", "/a.js.map", false),
            ("*a*b*c", "xxaxxbxxabc", true),
            ("/exact", "/exact", true),
            ("/exact", "/exactly", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn every_kind_of_condition() {
        let mut headers = HeaderMap::new();
        headers.insert("x-canary", http::HeaderValue::from_static("Always"));
        let seen = Seen {
            method: &Method::GET,
            host: "Tasks.example.com",
            path: "/Api",
            query: "version=2&flag",
            headers: &headers,
            from: Ipv4Addr::new(127, 0, 0, 9),
        };
        let one = |text: &str| vec![text.to_owned()];
        let table = [
            (Condition::HostHeader(one("*.EXAMPLE.com")), true),
            (Condition::HostHeader(one("example.com")), false),
            (Condition::PathPattern(one("/Api")), true),
            (Condition::PathPattern(one("/api")), false),
            (
                Condition::HttpHeader {
                    name: String::from("X-Canary"),
                    values: one("always"),
                },
                true,
            ),
            (
                Condition::HttpHeader {
                    name: String::from("X-Canary"),
                    values: one("never"),
                },
                false,
            ),
            (Condition::HttpRequestMethod(one("GET")), true),
            (Condition::HttpRequestMethod(one("POST")), false),
            (
                Condition::QueryString(vec![(Some(String::from("version")), String::from("2"))]),
                true,
            ),
            (Condition::QueryString(vec![(None, String::from("3"))]), false),
            (Condition::SourceIp(vec![Cidr::parse("127.0.0.0/24").unwrap()]), true),
            (Condition::SourceIp(vec![Cidr::parse("10.0.0.0/8").unwrap()]), false),
            (Condition::SourceIp(vec![Cidr::parse("0.0.0.0/0").unwrap()]), true),
        ];
        for (condition, expected) in table {
            assert_eq!(condition.holds(&seen), expected, "{condition:?}");
        }
        assert_eq!(Cidr::parse("127.0.0.1"), None);
        assert_eq!(Cidr::parse("127.0.0.0/33"), None);
    }
}
