//! Actions of rules and listeners, read and written (Elastic Load Balancing API Reference, Action).

use super::Asked;
use crate::elb::ElbError;
use crate::elb::model::{Action, Forward, Redirect};
use crate::wire::{Parameters, QueryError, Xml};

impl Asked<'_> {
    /// The one action of a list. Authentication, which would come before it, needs HTTPS listeners, so there is none here.
    pub(super) fn action(&self, list: &str) -> Result<Option<Action>, QueryError> {
        match self.parameters.list(list).as_slice() {
            [] => Ok(None),
            [action] => read(action).map(Some),
            [_, _, ..] => {
                Err(ElbError::InvalidAction(String::from("The sandbox has rules with exactly one action")).into())
            }
        }
    }
}

fn read(action: &Parameters) -> Result<Action, QueryError> {
    match action.required("Type")? {
        "forward" => read_forward(action).map(Action::Forward),
        "fixed-response" => {
            let config = action.structure("FixedResponseConfig");
            let status = config.required("StatusCode")?;
            let status = status
                .parse()
                .ok()
                .filter(|code| (200..600).contains(code))
                .ok_or_else(|| {
                    ElbError::InvalidAction(format!(
                        "'{status}' is not a status code of a fixed response (2XX, 4XX or 5XX)"
                    ))
                })?;
            Ok(Action::FixedResponse {
                status,
                content_type: config.text("ContentType").map(str::to_owned),
                body: config.text("MessageBody").map(str::to_owned),
            })
        }
        "redirect" => read_redirect(action.structure("RedirectConfig")).map(Action::Redirect),
        other => Err(ElbError::InvalidAction(format!("The sandbox does not have actions of type '{other}'")).into()),
    }
}

fn read_forward(action: &Parameters) -> Result<Forward, QueryError> {
    let config = action.structure("ForwardConfig");
    let mut groups = Vec::new();
    for group in config.list("TargetGroups") {
        groups.push((
            group.required("TargetGroupArn")?.to_owned(),
            group.parsed("Weight")?.unwrap_or(1),
        ));
    }
    if groups.is_empty() {
        groups.push((action.required("TargetGroupArn")?.to_owned(), 1));
    }
    let sticky = config.structure("TargetGroupStickinessConfig");
    let stickiness = if sticky.parsed("Enabled")?.unwrap_or(false) {
        Some(sticky.parsed("DurationSeconds")?.unwrap_or(3600))
    } else {
        None
    };
    Ok(Forward { groups, stickiness })
}

fn read_redirect(config: &Parameters) -> Result<Redirect, QueryError> {
    let part = |name: &str, otherwise: &str| config.text(name).unwrap_or(otherwise).to_owned();
    let status = match config.required("StatusCode")? {
        "HTTP_301" => 301,
        "HTTP_302" => 302,
        other => return Err(ElbError::InvalidAction(format!("'{other}' is neither HTTP_301 nor HTTP_302")).into()),
    };
    Ok(Redirect {
        protocol: part("Protocol", "#{protocol}"),
        host: part("Host", "#{host}"),
        port: part("Port", "#{port}"),
        path: part("Path", "/#{path}"),
        query: part("Query", "#{query}"),
        status,
    })
}

pub(super) fn write_actions(xml: &mut Xml, list: &str, action: Option<&Action>) {
    xml.list(list, action, |xml, action| match action {
        Action::Forward(forward) => write_forward(xml, forward),
        Action::FixedResponse {
            status,
            content_type,
            body,
        } => {
            xml.text("Type", "fixed-response");
            xml.text("Order", 1);
            xml.element("FixedResponseConfig", |xml| {
                xml.optional("MessageBody", body.as_ref());
                xml.text("StatusCode", status);
                xml.optional("ContentType", content_type.as_ref());
            });
        }
        Action::Redirect(redirect) => {
            xml.text("Type", "redirect");
            xml.text("Order", 1);
            xml.element("RedirectConfig", |xml| {
                xml.text("Protocol", &redirect.protocol);
                xml.text("Port", &redirect.port);
                xml.text("Host", &redirect.host);
                xml.text("Path", &redirect.path);
                xml.text("Query", &redirect.query);
                xml.text("StatusCode", format_args!("HTTP_{}", redirect.status));
            });
        }
    });
}

/// A single group is named twice, as AWS does for clients that know no weights.
fn write_forward(xml: &mut Xml, forward: &Forward) {
    xml.text("Type", "forward");
    if let [(only, _)] = forward.groups.as_slice() {
        xml.text("TargetGroupArn", only);
    }
    xml.text("Order", 1);
    xml.element("ForwardConfig", |xml| {
        xml.list("TargetGroups", &forward.groups, |xml, (arn, weight)| {
            xml.text("TargetGroupArn", arn);
            xml.text("Weight", weight);
        });
        xml.element("TargetGroupStickinessConfig", |xml| {
            xml.text("Enabled", forward.stickiness.is_some());
            xml.optional("DurationSeconds", forward.stickiness);
        });
    });
}
