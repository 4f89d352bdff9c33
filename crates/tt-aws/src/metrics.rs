//! What a target group did, from CloudWatch's AWS/ApplicationELB metrics (Elastic Load Balancing User Guide, "CloudWatch metrics for your
//! Application Load Balancer").

use std::time::Duration;

use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat},
};
use time::OffsetDateTime;
use tt_execute::PortError;
use tt_plan::{Arn, Sample};

use crate::{clients::Clients, error::failed};

const NAMESPACE: &str = "AWS/ApplicationELB";

/// Sums counts over the window; the response time is the mean of the periods' p95, weighted by their requests, because CloudWatch gives no
/// percentile over a window that is not aligned to its periods.
pub(crate) async fn sample(
    clients: &Clients,
    load_balancer: &Arn,
    target_group: &Arn,
    window: Duration,
    period: Duration,
) -> Result<Sample, PortError> {
    let dimensions = [
        dimension("TargetGroup", group_dimension(target_group)),
        dimension("LoadBalancer", balancer_dimension(load_balancer)),
    ];
    let query = |id: &str, name: &str, statistic: &str| {
        let metric = Metric::builder()
            .namespace(NAMESPACE)
            .metric_name(name)
            .set_dimensions(Some(dimensions.to_vec()))
            .build();
        let seconds = i32::try_from(period.as_secs().max(1)).unwrap_or(60);
        let stat = MetricStat::builder()
            .metric(metric)
            .period(seconds)
            .stat(statistic)
            .build();
        MetricDataQuery::builder().id(id).metric_stat(stat).build()
    };
    let now = OffsetDateTime::now_utc();
    let start = now - window.max(period);
    let answer = clients
        .cloudwatch
        .get_metric_data()
        .metric_data_queries(query("requests", "RequestCount", "Sum"))
        .metric_data_queries(query("errors", "HTTPCode_Target_5XX_Count", "Sum"))
        .metric_data_queries(query("broken", "TargetConnectionErrorCount", "Sum"))
        .metric_data_queries(query("p95", "TargetResponseTime", "p95"))
        .start_time(DateTime::from_secs(start.unix_timestamp()))
        .end_time(DateTime::from_secs(now.unix_timestamp() + 1))
        .send()
        .await
        .map_err(failed("read the metrics of the new tasks"))?;
    let series = |id: &str| {
        answer
            .metric_data_results()
            .iter()
            .find(|result| result.id() == Some(id))
    };
    let broken = sum(series("broken"));
    Ok(Sample {
        requests: sum(series("requests")) + broken,
        errors: sum(series("errors")) + broken,
        p95: weighted(series("p95"), series("requests")),
    })
}

fn dimension(name: &str, value: String) -> Dimension {
    Dimension::builder().name(name).value(value).build()
}

/// `targetgroup/name/id`: what follows the last colon of its ARN.
fn group_dimension(arn: &Arn) -> String {
    arn.as_str().rsplit(':').next().unwrap_or_default().to_owned()
}

/// `app/name/id`: what follows `loadbalancer/` in its ARN.
fn balancer_dimension(arn: &Arn) -> String {
    arn.as_str()
        .split_once("loadbalancer/")
        .map(|(_, rest)| rest.to_owned())
        .unwrap_or_default()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts: whole, not negative, far below 2^53"
)]
fn sum(result: Option<&MetricDataResult>) -> u64 {
    result.map_or(0, |result| result.values().iter().sum::<f64>().max(0.0) as u64)
}

fn weighted(p95: Option<&MetricDataResult>, requests: Option<&MetricDataResult>) -> Option<Duration> {
    let (p95, requests) = (p95?, requests?);
    let mut total = 0.0;
    let mut seconds = 0.0;
    for (at, value) in p95.timestamps().iter().zip(p95.values()) {
        let weight = requests
            .timestamps()
            .iter()
            .position(|other| other == at)
            .and_then(|index| requests.values().get(index))
            .copied()
            .unwrap_or(0.0);
        total += weight;
        seconds += weight * value;
    }
    (total > 0.0)
        .then(|| Duration::try_from_secs_f64(seconds / total).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(values: &[(i64, f64)]) -> MetricDataResult {
        MetricDataResult::builder()
            .set_timestamps(Some(values.iter().map(|(at, _)| DateTime::from_secs(*at)).collect()))
            .set_values(Some(values.iter().map(|(_, value)| *value).collect()))
            .build()
    }

    #[test]
    fn a_busy_period_weighs_more_than_a_quiet_one() {
        let p95 = result(&[(0, 0.1), (60, 0.5)]);
        let requests = result(&[(60, 10.0), (0, 90.0)]);
        let mean = weighted(Some(&p95), Some(&requests)).unwrap();
        assert_eq!(mean.as_millis(), 140);
    }

    #[test]
    fn without_requests_there_is_no_response_time() {
        assert_eq!(weighted(Some(&result(&[])), Some(&result(&[]))), None);
        assert_eq!(weighted(None, None), None);
    }

    #[test]
    fn dimensions_are_the_tails_of_the_arns() {
        let group =
            Arn::new("arn:aws:elasticloadbalancing:eu-central-1:000000000000:targetgroup/green/6d0ecf831eec9f09");
        let balancer =
            Arn::new("arn:aws:elasticloadbalancing:eu-central-1:000000000000:loadbalancer/app/web/50dc6c495c0c9188");
        assert_eq!(group_dimension(&group), "targetgroup/green/6d0ecf831eec9f09");
        assert_eq!(balancer_dimension(&balancer), "app/web/50dc6c495c0c9188");
    }
}
