//! `CreateListener`, `DescribeListeners`, `ModifyListener`, `DeleteListener`.

use super::actions::write_actions;
use super::{Answer, Asked, NAMESPACE};
use crate::elb::model::{Action, Listener, Model};
use crate::elb::{ElbError, arn};
use crate::front::call::Reply;
use crate::wire::{QueryError, Xml, answer, empty_answer};

impl Asked<'_> {
    pub(super) async fn create_listener(&self) -> Answer {
        let balancer = self.arn("LoadBalancerArn", ElbError::LoadBalancerNotFound)?;
        self.only_http()?;
        let port = self
            .port()?
            .ok_or_else(|| ElbError::Validation(String::from("A port must be specified")))?;
        let action = self
            .action("DefaultActions")?
            .ok_or_else(|| ElbError::Validation(String::from("A listener must have a default action")))?;
        let arn = self.elb.open_listener(balancer, port, action, self.tags()).await?;
        self.one_listener(&arn)
    }

    pub(super) fn describe_listeners(&self) -> Answer {
        let arns = self.arns("ListenerArns", ElbError::ListenerNotFound)?;
        let balancer = self.optional_arn("LoadBalancerArn", ElbError::LoadBalancerNotFound)?;
        if balancer.is_none() && arns.is_empty() {
            let message = "You must specify either listener ARNs or a load balancer ARN";
            return Err(QueryError::sender("ValidationError", message));
        }
        let found: Vec<Shown> = self.elb.model.read(|model| {
            if let Some(balancer) = balancer {
                model.load_balancer(balancer)?;
            }
            for arn in &arns {
                model.listener(arn)?;
            }
            let wanted = |known: &&Listener| {
                arn::region(&known.arn) == self.call.region
                    && (arns.is_empty() || arns.contains(&known.arn.as_str()))
                    && balancer.is_none_or(|balancer| known.load_balancer == balancer)
            };
            Ok::<_, ElbError>(
                model
                    .listeners
                    .values()
                    .filter(wanted)
                    .map(|known| shown(model, known))
                    .collect(),
            )
        })?;
        let (page, marker) = self.page(found)?;
        Ok(self.write_listeners(&page, marker.as_deref()))
    }

    /// A new port is opened before the old one is given up.
    pub(super) async fn modify_listener(&self) -> Answer {
        let arn = self.arn("ListenerArn", ElbError::ListenerNotFound)?;
        self.only_http()?;
        let action = self.action("DefaultActions")?;
        let listener = self.elb.model.read(|model| model.listener(arn).cloned())?;
        let moved = match self.port()? {
            Some(port) if port != listener.port => Some((
                port,
                self.elb
                    .run_listener(&listener.load_balancer, port)
                    .await
                    .map_err(ElbError::from)?,
            )),
            Some(_) | None => None,
        };
        self.elb.change_listener(arn, action, moved)?;
        self.one_listener(arn)
    }

    pub(super) fn delete_listener(&self) -> Answer {
        let arn = self.arn("ListenerArn", ElbError::ListenerNotFound)?;
        self.elb.change(|model| model.delete_listener(arn))?;
        Ok(empty_answer(self.call, NAMESPACE))
    }

    fn only_http(&self) -> Result<(), QueryError> {
        match self.parameters.text("Protocol") {
            None | Some("HTTP") => Ok(()),
            Some(other) => {
                let message = format!("The sandbox has HTTP listeners only, not '{other}'");
                Err(QueryError::sender("UnsupportedProtocol", message))
            }
        }
    }

    fn port(&self) -> Result<Option<u16>, QueryError> {
        match self.parameters.parsed::<u16>("Port")? {
            Some(0) => Err(ElbError::Validation(String::from("Port must be between 1 and 65535")).into()),
            port => Ok(port),
        }
    }

    fn one_listener(&self, arn: &str) -> Answer {
        let listener = self
            .elb
            .model
            .read(|model| model.listener(arn).map(|listener| shown(model, listener)))?;
        Ok(self.write_listeners(&[listener], None))
    }

    fn write_listeners(&self, listeners: &[Shown], marker: Option<&str>) -> Reply {
        answer(self.call, NAMESPACE, |xml| {
            xml.list("Listeners", listeners, write_listener);
            xml.optional("NextMarker", marker);
        })
    }
}

/// A listener with its default action.
struct Shown {
    listener: Listener,
    action: Option<Action>,
}

fn shown(model: &Model, listener: &Listener) -> Shown {
    let action = model.default_rule(&listener.arn).map(|rule| rule.action.clone());
    Shown {
        listener: listener.clone(),
        action,
    }
}

fn write_listener(xml: &mut Xml, Shown { listener, action }: &Shown) {
    xml.text("ListenerArn", &listener.arn);
    xml.text("LoadBalancerArn", &listener.load_balancer);
    xml.text("Port", listener.port);
    xml.text("Protocol", "HTTP");
    write_actions(xml, "DefaultActions", action.as_ref());
}
