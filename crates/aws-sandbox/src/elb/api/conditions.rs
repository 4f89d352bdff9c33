//! Conditions of rules, read and written (Elastic Load Balancing API Reference, `RuleCondition`).

use super::Asked;
use crate::elb::ElbError;
use crate::elb::condition::{Cidr, Condition};
use crate::wire::{Parameters, QueryError, Xml};

impl Asked<'_> {
    /// The conditions, if any were sent at all.
    pub(super) fn conditions(&self) -> Result<Option<Vec<Condition>>, QueryError> {
        if !self.parameters.has("Conditions") {
            return Ok(None);
        }
        self.parameters
            .list("Conditions")
            .into_iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Some)
    }
}

fn read(condition: &Parameters) -> Result<Condition, QueryError> {
    let field = condition.required("Field")?;
    let values = |config: &str| {
        // Old clients send host and path patterns without a config around them.
        let texts = match condition.structure(config).texts("Values") {
            none if none.is_empty() => condition.texts("Values"),
            texts => texts,
        };
        if texts.is_empty() {
            return Err(ElbError::Validation(format!(
                "A condition value must be specified for '{field}'"
            )));
        }
        Ok(texts.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    Ok(match field {
        "host-header" => Condition::HostHeader(values("HostHeaderConfig")?),
        "path-pattern" => Condition::PathPattern(values("PathPatternConfig")?),
        "http-request-method" => Condition::HttpRequestMethod(values("HttpRequestMethodConfig")?),
        "http-header" => Condition::HttpHeader {
            name: condition.structure("HttpHeaderConfig").required("HttpHeaderName")?.to_owned(),
            values: values("HttpHeaderConfig")?,
        },
        "query-string" => Condition::QueryString(read_pairs(condition)?),
        "source-ip" => Condition::SourceIp(
            values("SourceIpConfig")?
                .iter()
                .map(|block| {
                    Cidr::parse(block)
                        .ok_or_else(|| ElbError::Validation(format!("'{block}' is not a block of IPv4 addresses")))
                })
                .collect::<Result<_, _>>()?,
        ),
        other => return Err(ElbError::Validation(format!("Condition field '{other}' must be one of '[host-header, path-pattern, http-header, http-request-method, query-string, source-ip]'")).into()),
    })
}

fn read_pairs(condition: &Parameters) -> Result<Vec<(Option<String>, String)>, QueryError> {
    condition
        .structure("QueryStringConfig")
        .list("Values")
        .into_iter()
        .map(|pair| Ok((pair.text("Key").map(str::to_owned), pair.required("Value")?.to_owned())))
        .collect()
}

pub(super) fn write_conditions(xml: &mut Xml, conditions: &[Condition]) {
    xml.list("Conditions", conditions, |xml, condition| match condition {
        Condition::HostHeader(values) => write_values(xml, "host-header", "HostHeaderConfig", values),
        Condition::PathPattern(values) => write_values(xml, "path-pattern", "PathPatternConfig", values),
        Condition::HttpRequestMethod(values) => {
            write_values(xml, "http-request-method", "HttpRequestMethodConfig", values);
        }
        Condition::HttpHeader { name, values } => {
            xml.text("Field", "http-header");
            xml.element("HttpHeaderConfig", |xml| {
                xml.text("HttpHeaderName", name);
                xml.list("Values", values, |xml, value| xml.escape(value));
            });
        }
        Condition::QueryString(pairs) => {
            xml.text("Field", "query-string");
            xml.element("QueryStringConfig", |xml| {
                xml.list("Values", pairs, |xml, (key, value)| {
                    xml.optional("Key", key.as_ref());
                    xml.text("Value", value);
                });
            });
        }
        Condition::SourceIp(blocks) => {
            let blocks: Vec<String> = blocks
                .iter()
                .map(|block| format!("{}/{}", block.base, block.bits))
                .collect();
            write_values(xml, "source-ip", "SourceIpConfig", &blocks);
        }
    });
}

fn write_values(xml: &mut Xml, field: &str, config: &str, values: &[String]) {
    xml.text("Field", field);
    if matches!(field, "host-header" | "path-pattern") {
        xml.list("Values", values, |xml, value| xml.escape(value));
    }
    xml.element(config, |xml| xml.list("Values", values, |xml, value| xml.escape(value)));
}
