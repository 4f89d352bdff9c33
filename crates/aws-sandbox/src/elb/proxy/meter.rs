//! What a load balancer tells CloudWatch about its requests, once per request
//! (Elastic Load Balancing, "CloudWatch metrics for your Application Load Balancer").

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::exchange::Failure;
use crate::cloudwatch::{Metrics, Unit};
use crate::elb::arn;
use crate::elb::routes::Group;

const NAMESPACE: &str = "AWS/ApplicationELB";

/// The metrics of one load balancer.
#[derive(Clone)]
pub(in crate::elb) struct Meter {
    metrics: Arc<Metrics>,
    region: String,
    balancer: Vec<(&'static str, String)>,
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter")
            .field("balancer", &self.balancer)
            .finish_non_exhaustive()
    }
}

impl Meter {
    pub(in crate::elb) fn of(metrics: Arc<Metrics>, load_balancer: &str) -> Self {
        Self {
            metrics,
            region: arn::region(load_balancer).to_owned(),
            balancer: vec![("LoadBalancer", arn::load_balancer_dimension(load_balancer))],
        }
    }

    /// A target answered, `took` after the request left for it.
    pub(super) fn answered(&self, group: &Group, status: StatusCode, took: Duration) {
        self.chosen(group);
        let class = match status.as_u16() {
            200..=299 => Some("HTTPCode_Target_2XX_Count"),
            300..=399 => Some("HTTPCode_Target_3XX_Count"),
            400..=499 => Some("HTTPCode_Target_4XX_Count"),
            500..=599 => Some("HTTPCode_Target_5XX_Count"),
            // A protocol switch is counted as a request only.
            _ => None,
        };
        if let Some(class) = class {
            self.both(group, class, 1.0, Unit::COUNT);
        }
        self.both(group, "TargetResponseTime", took.as_secs_f64(), Unit::SECONDS);
    }

    /// A target was chosen but gave no answer; the client gets `status` from the load balancer.
    pub(super) fn failed(&self, group: &Group, status: StatusCode, failure: &Failure) {
        self.chosen(group);
        if let Failure::Connect(_) | Failure::ConnectSlow = failure {
            self.both(group, "TargetConnectionErrorCount", 1.0, Unit::COUNT);
        }
        self.own(status);
    }

    /// No target could be chosen; such a request is not in `RequestCount`.
    pub(super) fn refused(&self, status: StatusCode) {
        self.own(status);
    }

    fn chosen(&self, group: &Group) {
        self.both(group, "RequestCount", 1.0, Unit::COUNT);
    }

    fn own(&self, status: StatusCode) {
        let names: &[&'static str] = match status.as_u16() {
            500 => &["HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_500_Count"],
            502 => &["HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_502_Count"],
            503 => &["HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_503_Count"],
            504 => &["HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_504_Count"],
            _ => &["HTTPCode_ELB_4XX_Count"],
        };
        for name in names {
            self.metrics
                .record(&self.region, NAMESPACE, name, &self.balancer, 1.0, Unit::COUNT);
        }
    }

    fn both(&self, group: &Group, name: &'static str, value: f64, unit: Unit) {
        for dimensions in &group.dimensions {
            self.metrics
                .record(&self.region, NAMESPACE, name, dimensions, value, unit);
        }
    }

    /// How many targets of a group are healthy and how many not, right now.
    pub(in crate::elb) fn hosts(&self, dimensions: &[(&'static str, String)], healthy: u32, unhealthy: u32) {
        for (name, count) in [("HealthyHostCount", healthy), ("UnHealthyHostCount", unhealthy)] {
            self.metrics
                .record(&self.region, NAMESPACE, name, dimensions, f64::from(count), Unit::COUNT);
        }
    }
}
