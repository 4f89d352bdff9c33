//! `CreateTargetGroup`, `DescribeTargetGroups`, `ModifyTargetGroup`, `DeleteTargetGroup`.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Answer, Asked, NAMESPACE};
use crate::elb::model::{HealthCheck, Model, TargetGroup, TargetGroupSpec};
use crate::elb::{ElbError, Matcher, arn};
use crate::front::call::Reply;
use crate::wire::{QueryError, Xml, answer, empty_answer};

impl Asked<'_> {
    pub(super) fn create_target_group(&self) -> Answer {
        self.only("Protocol", "HTTP")?;
        self.only("ProtocolVersion", "HTTP1")?;
        self.only("TargetType", "ip")?;
        let port = self.parameters.parsed("Port")?.filter(|port| *port > 0);
        let spec = TargetGroupSpec {
            name: self.parameters.required("Name")?.to_owned(),
            port: port.ok_or_else(|| ElbError::Validation(String::from("A port must be specified")))?,
            health_check: self.health_check(HealthCheck::default())?,
            deregistration_delay: Duration::from_mins(5),
        };
        let vpc = self.parameters.text("VpcId").map(str::to_owned);
        let tags = self.tags();
        let created = self.elb.change(|model| {
            let arn = model.create_group(&self.elb.place(&self.call.region), spec, vpc, tags)?;
            Ok::<_, ElbError>(shown(model, model.group(&arn)?))
        })?;
        Ok(self.write_groups(&[created], None))
    }

    pub(super) fn describe_target_groups(&self) -> Answer {
        let arns = self.arns("TargetGroupArns", ElbError::TargetGroupNotFound)?;
        let names = self.parameters.texts("Names");
        let balancer = self.optional_arn("LoadBalancerArn", ElbError::LoadBalancerNotFound)?;
        let region = &self.call.region;
        let found: Vec<Shown> = self.elb.model.read(|model| {
            if let Some(balancer) = balancer {
                model.load_balancer(balancer)?;
            }
            for arn in &arns {
                model.group(arn)?;
            }
            if let Some(absent) = names.iter().find(|name| model.group_named(region, name).is_none()) {
                return Err(ElbError::TargetGroupNotFound((*absent).to_owned()));
            }
            let wanted = |known: &&TargetGroup| {
                arn::region(&known.arn) == region
                    && (arns.is_empty() || arns.contains(&known.arn.as_str()))
                    && (names.is_empty() || names.contains(&known.name.as_str()))
                    && balancer.is_none_or(|balancer| model.balancers_of(&known.arn).contains(balancer))
            };
            let found = model.groups.values().filter(wanted);
            Ok(found.map(|group| shown(model, group)).collect())
        })?;
        let (page, marker) = self.page(found)?;
        Ok(self.write_groups(&page, marker.as_deref()))
    }

    pub(super) fn modify_target_group(&self) -> Answer {
        let arn = self.arn("TargetGroupArn", ElbError::TargetGroupNotFound)?;
        let current = self
            .elb
            .model
            .read(|model| model.group(arn).map(|group| group.health_check.clone()))?;
        let check = self.health_check(current)?;
        let modified = self.elb.change(|model| {
            model.set_health_check(arn, check)?;
            Ok::<_, ElbError>(shown(model, model.group(arn)?))
        })?;
        Ok(self.write_groups(&[modified], None))
    }

    pub(super) fn delete_target_group(&self) -> Answer {
        let arn = self.arn("TargetGroupArn", ElbError::TargetGroupNotFound)?;
        self.elb.change(|model| model.delete_group(arn))?;
        Ok(empty_answer(self.call, NAMESPACE))
    }

    /// A parameter with the one value the sandbox has.
    pub(super) fn only(&self, name: &str, value: &str) -> Result<(), QueryError> {
        match self.parameters.text(name) {
            Some(asked) if asked != value => {
                let message = format!("The sandbox supports '{value}' for {name}, not '{asked}'");
                Err(QueryError::sender("InvalidConfigurationRequest", message))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The parameters that were sent, over those that apply otherwise.
    fn health_check(&self, otherwise: HealthCheck) -> Result<HealthCheck, QueryError> {
        self.only("HealthCheckProtocol", "HTTP")?;
        self.only("HealthCheckEnabled", "true")?;
        let seconds = |name: &str, otherwise: Duration| {
            Ok::<_, QueryError>(self.parameters.parsed(name)?.map_or(otherwise, Duration::from_secs))
        };
        let times =
            |name: &str, otherwise: NonZeroU32| Ok::<_, QueryError>(self.parameters.parsed(name)?.unwrap_or(otherwise));
        let port = match self.parameters.text("HealthCheckPort") {
            None => otherwise.port,
            Some("traffic-port") => None,
            Some(_) => self.parameters.parsed("HealthCheckPort")?,
        };
        Ok(HealthCheck {
            path: self
                .parameters
                .text("HealthCheckPath")
                .map_or(otherwise.path, str::to_owned),
            port,
            interval: seconds("HealthCheckIntervalSeconds", otherwise.interval)?,
            timeout: seconds("HealthCheckTimeoutSeconds", otherwise.timeout)?,
            healthy_threshold: times("HealthyThresholdCount", otherwise.healthy_threshold)?,
            unhealthy_threshold: times("UnhealthyThresholdCount", otherwise.unhealthy_threshold)?,
            matcher: match self.parameters.structure("Matcher").text("HttpCode") {
                None => otherwise.matcher,
                Some(codes) => codes.parse::<Matcher>().map_err(ElbError::Validation)?,
            },
        })
    }

    fn write_groups(&self, groups: &[Shown], marker: Option<&str>) -> Reply {
        answer(self.call, NAMESPACE, |xml| {
            xml.list("TargetGroups", groups, write_group);
            xml.optional("NextMarker", marker);
        })
    }
}

/// A group with the load balancers that use it.
struct Shown {
    group: TargetGroup,
    balancers: Vec<String>,
}

fn shown(model: &Model, group: &TargetGroup) -> Shown {
    let balancers = model.balancers_of(&group.arn).into_iter().map(str::to_owned).collect();
    Shown {
        group: group.clone(),
        balancers,
    }
}

fn write_group(xml: &mut Xml, Shown { group, balancers }: &Shown) {
    let check = &group.health_check;
    xml.text("TargetGroupArn", &group.arn);
    xml.text("TargetGroupName", &group.name);
    xml.text("Protocol", "HTTP");
    xml.text("ProtocolVersion", "HTTP1");
    xml.text("Port", group.port);
    xml.optional("VpcId", group.vpc.as_ref());
    xml.text("HealthCheckProtocol", "HTTP");
    xml.text(
        "HealthCheckPort",
        check
            .port
            .map_or_else(|| String::from("traffic-port"), |port| port.to_string()),
    );
    xml.text("HealthCheckEnabled", true);
    xml.text("HealthCheckIntervalSeconds", whole_seconds(check.interval));
    xml.text("HealthCheckTimeoutSeconds", whole_seconds(check.timeout));
    xml.text("HealthyThresholdCount", check.healthy_threshold);
    xml.text("UnhealthyThresholdCount", check.unhealthy_threshold);
    xml.text("HealthCheckPath", &check.path);
    xml.element("Matcher", |xml| xml.text("HttpCode", &check.matcher));
    xml.list("LoadBalancerArns", balancers, |xml, arn| xml.escape(arn));
    xml.text("TargetType", "ip");
    xml.text("IpAddressType", "ipv4");
}

/// The API has whole seconds only; a shorter time, which only the sandbox itself can set, shows as one.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().max(1)
}
