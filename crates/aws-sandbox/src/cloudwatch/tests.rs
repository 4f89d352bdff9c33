use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::{BehaviorVersion, Config, Region};
use aws_sdk_cloudwatch::error::ProvideErrorMetadata as _;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    ComparisonOperator, MetricDataQuery, MetricDatum, MetricStat, ScanBy, StandardUnit, StateValue, Statistic,
};

use super::*;
use crate::loopback::{ACCOUNT, REGION, credentials, serve};

struct Service {
    client: Client,
    cloudwatch: Arc<CloudWatch>,
    endpoint: String,
    _folder: tempfile::TempDir,
}

async fn service() -> Service {
    let folder = tempfile::tempdir().unwrap();
    let dir = StateDir::open(folder.path()).unwrap();
    let cloudwatch = Arc::new(CloudWatch::open(&dir, ACCOUNT, Arc::new(Metrics::default())).unwrap());
    let answering = Arc::clone(&cloudwatch);
    let endpoint = serve(move |call| {
        let cloudwatch = Arc::clone(&answering);
        async move { cloudwatch.answer(&call) }
    })
    .await;
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .endpoint_url(&endpoint);
    Service {
        client: Client::from_conf(config.build()),
        cloudwatch,
        endpoint,
        _folder: folder,
    }
}

fn load_balancer() -> [(&'static str, String); 1] {
    [("LoadBalancer", "app/web/1".to_owned())]
}

fn metric(name: &str) -> aws_sdk_cloudwatch::types::Metric {
    let dimension = aws_sdk_cloudwatch::types::Dimension::builder()
        .name("LoadBalancer")
        .value("app/web/1")
        .build();
    aws_sdk_cloudwatch::types::Metric::builder()
        .namespace("AWS/ApplicationELB")
        .metric_name(name)
        .dimensions(dimension)
        .build()
}

fn query(id: &str, name: &str, stat: &str) -> MetricDataQuery {
    let stat = MetricStat::builder().metric(metric(name)).period(60).stat(stat).build();
    MetricDataQuery::builder()
        .id(id)
        .metric_stat(stat)
        .return_data(false)
        .build()
}

#[tokio::test]
async fn what_the_data_plane_recorded_is_answered_with_percentiles_and_math() {
    let service = service().await;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let record = |name: &'static str, value: f64, unit: Unit| {
        service
            .cloudwatch
            .metrics
            .record(REGION, "AWS/ApplicationELB", name, &load_balancer(), value, unit);
    };
    for n in 1..=100 {
        record("RequestCount", 1.0, Unit::COUNT);
        record("TargetResponseTime", f64::from(n) / 1000.0, Unit::SECONDS);
    }
    (0..5).for_each(|_| record("HTTPCode_Target_5XX_Count", 1.0, Unit::COUNT));
    let rate = MetricDataQuery::builder()
        .id("rate")
        .expression("100 * SUM([errors]) / requests")
        .label("error %")
        .build();
    let answer = service
        .client
        .get_metric_data()
        .metric_data_queries(query("errors", "HTTPCode_Target_5XX_Count", "Sum"))
        .metric_data_queries(query("requests", "RequestCount", "Sum"))
        .metric_data_queries(query("absent", "NoSuchMetric", "Sum"))
        .metric_data_queries(rate)
        .metric_data_queries(
            MetricDataQuery::builder()
                .id("p95")
                .metric_stat(
                    MetricStat::builder()
                        .metric(metric("TargetResponseTime"))
                        .period(60)
                        .stat("p95")
                        .build(),
                )
                .build(),
        )
        .metric_data_queries(
            MetricDataQuery::builder()
                .id("gap")
                .metric_stat(
                    MetricStat::builder()
                        .metric(metric("NoSuchMetric"))
                        .period(60)
                        .stat("Sum")
                        .build(),
                )
                .build(),
        )
        .start_time(DateTime::from_secs(now - 600))
        .end_time(DateTime::from_secs(now + 60))
        .scan_by(ScanBy::TimestampAscending)
        .send()
        .await
        .unwrap();
    let results = answer.metric_data_results();
    let ids: Vec<_> = results.iter().filter_map(|result| result.id()).collect();
    assert_eq!(ids, ["rate", "p95", "gap"]);
    assert_eq!(results[0].label(), Some("error %"));
    // The minute may turn while the test records; the last period is there in any case.
    assert!((results[0].values().last().unwrap() - 5.0).abs() < 60.0);
    assert!(!results[0].timestamps().is_empty() && results[0].timestamps()[0].secs() % 60 == 0);
    let p95 = results[1].values().iter().copied().fold(0.0, f64::max);
    assert!((0.094..=0.1).contains(&p95), "{p95}");
    assert!(results[2].values().is_empty(), "no data is no data point");

    let listed = service
        .client
        .list_metrics()
        .metric_name("RequestCount")
        .send()
        .await
        .unwrap();
    assert_eq!(listed.metrics()[0].dimensions()[0].value(), Some("app/web/1"));
}

#[tokio::test]
async fn published_data_comes_back_in_its_region_only() {
    let service = service().await;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let datum = MetricDatum::builder()
        .metric_name("Orders")
        .set_values(Some(vec![1.0, 3.0]))
        .set_counts(Some(vec![2.0, 1.0]));
    let datum = datum
        .unit(StandardUnit::Count)
        .timestamp(DateTime::from_secs(now))
        .build();
    service
        .client
        .put_metric_data()
        .namespace("Shop")
        .metric_data(datum)
        .send()
        .await
        .unwrap();
    let statistics = service
        .client
        .get_metric_statistics()
        .namespace("Shop")
        .metric_name("Orders")
        .start_time(DateTime::from_secs(now - 60))
        .end_time(DateTime::from_secs(now + 60))
        .period(3600)
        .statistics(Statistic::Sum)
        .statistics(Statistic::SampleCount)
        .extended_statistics("p50")
        .send()
        .await
        .unwrap();
    let point = &statistics.datapoints()[0];
    assert_eq!((point.sum(), point.sample_count()), (Some(5.0), Some(3.0)));
    assert_eq!(point.unit(), Some(&StandardUnit::Count));
    assert!((point.extended_statistics().unwrap()["p50"] - 1.0).abs() < 0.01);
    assert!(service.cloudwatch.metrics.list("us-east-1").is_empty());

    let datum = MetricDatum::builder().metric_name("Orders").value(1.0).build();
    let refused = service
        .client
        .put_metric_data()
        .namespace("AWS/ECS")
        .metric_data(datum)
        .send()
        .await
        .unwrap_err();
    assert!(
        refused
            .as_service_error()
            .unwrap()
            .is_invalid_parameter_value_exception(),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_alarm_follows_its_metric() {
    let service = service().await;
    let put = || {
        service
            .client
            .put_metric_alarm()
            .alarm_name("errors")
            .namespace("AWS/ApplicationELB")
            .metric_name("HTTPCode_Target_5XX_Count")
            .dimensions(
                aws_sdk_cloudwatch::types::Dimension::builder()
                    .name("LoadBalancer")
                    .value("app/web/1")
                    .build(),
            )
            .statistic(Statistic::Sum)
            .period(10)
            .evaluation_periods(2)
            .threshold(1.0)
            .comparison_operator(ComparisonOperator::GreaterThanOrEqualToThreshold)
            .treat_missing_data("notBreaching")
    };
    put().send().await.unwrap();
    assert_eq!(
        service.cloudwatch.alarm_state(REGION, "errors"),
        Some(AlarmState::InsufficientData)
    );
    let key = Metric {
        namespace: "AWS/ApplicationELB".into(),
        name: "HTTPCode_Target_5XX_Count".into(),
        dimensions: vec![Dimension {
            name: "LoadBalancer".into(),
            value: "app/web/1".into(),
        }],
    }
    .key(REGION);
    let state = |now: i64| {
        service.cloudwatch.evaluate(now);
        service.cloudwatch.alarm_state(REGION, "errors").unwrap()
    };
    assert_eq!(state(1000), AlarmState::Ok);
    for second in [1001, 1011] {
        service
            .cloudwatch
            .metrics
            .publish(&key, Unit::COUNT, second, samples::Samples::of(1.0, 1.0));
    }
    assert_eq!(state(1019), AlarmState::Ok, "one of two complete periods breaches");
    assert_eq!(state(1020), AlarmState::Alarm);

    let described = service
        .client
        .describe_alarms()
        .state_value(StateValue::Alarm)
        .send()
        .await
        .unwrap();
    let alarm = &described.metric_alarms()[0];
    assert_eq!(
        alarm.alarm_arn(),
        Some("arn:aws:cloudwatch:eu-central-1:000000000000:alarm:errors")
    );
    assert!(
        alarm
            .state_reason()
            .unwrap()
            .starts_with("2 out of the last 2 datapoints"),
        "{:?}",
        alarm.state_reason()
    );
    assert_eq!((alarm.period(), alarm.threshold()), (Some(10), Some(1.0)));

    service
        .client
        .set_alarm_state()
        .alarm_name("errors")
        .state_value(StateValue::Ok)
        .state_reason("test")
        .send()
        .await
        .unwrap();
    assert_eq!(
        state(1021),
        AlarmState::Ok,
        "a state that was set lasts until the period ends"
    );
    assert_eq!(
        state(1030),
        AlarmState::Alarm,
        "older data stands in for the missing period"
    );
    assert_eq!(state(1060), AlarmState::Ok);
}

#[tokio::test]
async fn alarms_that_are_absent_or_wrong_are_refused_by_name() {
    let service = service().await;
    let client = &service.client;
    let metric = Metric {
        namespace: "Shop".into(),
        name: "Errors".into(),
        dimensions: Vec::new(),
    };
    service
        .cloudwatch
        .put_alarm(REGION, AlarmSpec::on("errors", metric, "Sum", 60, 1, 0.0))
        .unwrap();
    client.delete_alarms().alarm_names("errors").send().await.unwrap();
    let absent = client.delete_alarms().alarm_names("errors").send().await.unwrap_err();
    assert!(absent.as_service_error().unwrap().is_resource_not_found(), "{absent:?}");
    let set = client
        .set_alarm_state()
        .alarm_name("x")
        .state_value(StateValue::Ok)
        .state_reason("");
    assert_eq!(set.send().await.unwrap_err().code(), Some("ResourceNotFound"));
    let wrong = client
        .put_metric_alarm()
        .alarm_name("x")
        .threshold(1.0)
        .evaluation_periods(0);
    let wrong = wrong
        .namespace("Shop")
        .metric_name("Errors")
        .statistic(Statistic::Sum)
        .period(60);
    let wrong = wrong
        .comparison_operator(ComparisonOperator::LessThanThreshold)
        .send()
        .await
        .unwrap_err();
    assert_eq!(wrong.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn the_loop_evaluates_by_itself() {
    let service = service().await;
    let metric = Metric {
        namespace: "Shop".into(),
        name: "Errors".into(),
        dimensions: Vec::new(),
    };
    let key = metric.key(REGION);
    service
        .cloudwatch
        .put_alarm(REGION, AlarmSpec::on("loop", metric, "Sum", 1, 1, 0.0))
        .unwrap();
    let cloudwatch = Arc::clone(&service.cloudwatch);
    let evaluating = tokio::spawn(async move { cloudwatch.evaluate_forever().await });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while service.cloudwatch.alarm_state(REGION, "loop") != Some(AlarmState::Alarm) {
        assert!(tokio::time::Instant::now() < deadline, "the alarm never fired");
        let now = OffsetDateTime::now_utc().unix_timestamp();
        service
            .cloudwatch
            .metrics
            .publish(&key, Unit::COUNT, now, samples::Samples::of(1.0, 1.0));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    evaluating.abort();
}

#[tokio::test]
async fn older_clients_are_answered_in_their_protocols() {
    let service = service().await;
    let metrics = &service.cloudwatch.metrics;
    metrics.record(
        REGION,
        "AWS/ApplicationELB",
        "RequestCount",
        &load_balancer(),
        1.0,
        Unit::COUNT,
    );
    let address = service.endpoint.strip_prefix("http://").unwrap();
    let form =
        "Action=ListMetrics&Version=2010-08-01&Namespace=AWS%2FApplicationELB&Dimensions.member.1.Name=LoadBalancer";
    let xml = send(address, &[("content-type", "application/x-www-form-urlencoded")], form).await;
    assert!(
        xml.contains("<ListMetricsResult><Metrics><member><Namespace>AWS/ApplicationELB</Namespace>"),
        "{xml}"
    );
    let target = ("x-amz-target", "GraniteServiceVersion20100801.ListMetrics");
    let json = send(address, &[("content-type", "application/x-amz-json-1.0"), target], "{}").await;
    assert!(json.contains(r#""MetricName":"RequestCount""#), "{json}");
    let wrong = send(
        address,
        &[("content-type", "application/x-www-form-urlencoded")],
        "Action=GetMetricData",
    )
    .await;
    assert!(wrong.contains("<Code>SerializationException</Code>"), "{wrong}");
    let unknown = send(
        address,
        &[("content-type", "application/x-www-form-urlencoded")],
        "Action=Bogus",
    )
    .await;
    assert!(
        unknown.contains("<Code>InvalidAction</Code>") && unknown.contains("Bogus"),
        "{unknown}"
    );
}

async fn send(address: &str, headers: &[(&str, &str)], body: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let headers: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let headers = headers.concat();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
