//! `CreateLoadBalancer`, `DescribeLoadBalancers`, `DeleteLoadBalancer`.

use time::format_description::well_known::Rfc3339;

use super::{Answer, Asked, NAMESPACE};
use crate::elb::model::{LoadBalancer, LoadBalancerSpec};
use crate::elb::{ElbError, arn};
use crate::wire::{QueryError, Xml, answer, empty_answer};

impl Asked<'_> {
    pub(super) fn create_load_balancer(&self) -> Answer {
        let name = self.parameters.required("Name")?;
        let kind = self.parameters.text("Type").unwrap_or("application");
        if kind != "application" {
            let message = format!("The sandbox has load balancers of the type 'application' only, not '{kind}'");
            return Err(QueryError::sender("InvalidConfigurationRequest", message));
        }
        let owned = |list: &str| self.parameters.texts(list).into_iter().map(str::to_owned).collect();
        let mut subnets: Vec<String> = owned("Subnets");
        let mappings = self.parameters.list("SubnetMappings");
        subnets.extend(
            mappings
                .into_iter()
                .filter_map(|mapping| mapping.text("SubnetId"))
                .map(str::to_owned),
        );
        let spec = LoadBalancerSpec {
            scheme: self.parameters.text("Scheme").map(str::to_owned),
            subnets,
            security_groups: owned("SecurityGroups"),
        };
        let tags = self.tags();
        let created = self.elb.change(|model| {
            let arn = model.create_load_balancer(&self.elb.place(&self.call.region), name, spec, tags)?;
            model.load_balancer(&arn).cloned()
        })?;
        Ok(self.write_load_balancers(&[created], None))
    }

    pub(super) fn describe_load_balancers(&self) -> Answer {
        let arns = self.arns("LoadBalancerArns", ElbError::LoadBalancerNotFound)?;
        let names = self.parameters.texts("Names");
        let region = &self.call.region;
        let found: Vec<LoadBalancer> = self.elb.model.read(|model| {
            for arn in &arns {
                model.load_balancer(arn)?;
            }
            if let Some(absent) = names
                .iter()
                .find(|name| model.load_balancer_named(region, name).is_none())
            {
                return Err(ElbError::LoadBalancerNotFound((*absent).to_owned()));
            }
            let wanted = |known: &&LoadBalancer| {
                arn::region(&known.arn) == region
                    && (arns.is_empty() || arns.contains(&known.arn.as_str()))
                    && (names.is_empty() || names.contains(&known.name.as_str()))
            };
            Ok(model.load_balancers.values().filter(wanted).cloned().collect())
        })?;
        let (page, marker) = self.page(found)?;
        Ok(self.write_load_balancers(&page, marker.as_deref()))
    }

    pub(super) fn delete_load_balancer(&self) -> Answer {
        let arn = self.parameters.required("LoadBalancerArn")?;
        if self.is_local(arn) {
            self.elb.change(|model| model.delete_load_balancer(arn))?;
        }
        Ok(empty_answer(self.call, NAMESPACE))
    }

    fn write_load_balancers(&self, balancers: &[LoadBalancer], marker: Option<&str>) -> crate::front::call::Reply {
        answer(self.call, NAMESPACE, |xml| {
            xml.list("LoadBalancers", balancers, |xml, balancer| {
                self.write_load_balancer(xml, balancer);
            });
            xml.optional("NextMarker", marker);
        })
    }

    fn write_load_balancer(&self, xml: &mut Xml, balancer: &LoadBalancer) {
        let region = &self.call.region;
        xml.text("LoadBalancerArn", &balancer.arn);
        xml.text("LoadBalancerName", &balancer.name);
        xml.text("DNSName", self.elb.dns_name());
        xml.text("CanonicalHostedZoneId", "Z00000000SANDBOX");
        xml.optional("CreatedTime", balancer.created.format(&Rfc3339).ok());
        xml.text("Scheme", balancer.spec.scheme.as_deref().unwrap_or("internet-facing"));
        xml.text("VpcId", "vpc-00000000");
        xml.element("State", |xml| xml.text("Code", "active"));
        xml.text("Type", "application");
        xml.text("IpAddressType", "ipv4");
        xml.list(
            "AvailabilityZones",
            balancer.spec.subnets.iter().zip('a'..='f'),
            |xml, (subnet, zone)| {
                xml.text("ZoneName", format_args!("{region}{zone}"));
                xml.text("SubnetId", subnet);
            },
        );
        xml.list("SecurityGroups", &balancer.spec.security_groups, |xml, group| {
            xml.escape(group);
        });
    }
}
