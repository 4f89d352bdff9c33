//! One client per service, all from one configuration: `local` and `production` differ in values only.

use std::time::Duration;

use aws_config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::Credentials as Keys;
use tt_environment::{Credentials, Environment, Region};

/// The clients of one environment.
#[derive(Debug, Clone)]
pub struct Clients {
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(crate) ecr: aws_sdk_ecr::Client,
    pub(crate) ecs: aws_sdk_ecs::Client,
    pub(crate) elb: aws_sdk_elasticloadbalancingv2::Client,
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) rds: aws_sdk_rds::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) secrets: aws_sdk_secretsmanager::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    configuration: aws_config::SdkConfig,
}

impl Clients {
    /// Reads the SDK's default chain where the environment asks for it; makes no call to AWS yet.
    pub async fn connect(environment: &Environment) -> Self {
        let config = configuration(environment).await;
        // A loopback host has no wildcard DNS, so buckets go into the path.
        let path_style = environment.aws.endpoint_url.is_some();
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(path_style)
            .build();
        Self {
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            ecr: aws_sdk_ecr::Client::new(&config),
            ecs: aws_sdk_ecs::Client::new(&config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            rds: aws_sdk_rds::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            secrets: aws_sdk_secretsmanager::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            configuration: config,
        }
    }

    /// What calls are signed with.
    pub(crate) fn credentials(&self) -> Option<aws_credential_types::provider::SharedCredentialsProvider> {
        self.configuration.credentials_provider()
    }

    /// S3 for large objects: a piece of several megabytes may take a while on a slow line.
    pub(crate) fn s3_for_data(&self) -> aws_sdk_s3::Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_mins(1))
            .operation_timeout(Duration::from_mins(5))
            .build();
        let config = aws_sdk_s3::config::Builder::from(&self.configuration)
            .force_path_style(self.configuration.endpoint_url().is_some())
            .timeout_config(timeouts)
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// RDS in another Region: whatever arrives there is asked for there.
    pub(crate) fn rds_in(&self, region: &Region) -> aws_sdk_rds::Client {
        let elsewhere = aws_sdk_rds::config::Builder::from(&self.configuration)
            .region(aws_config::Region::new(region.to_string()))
            .build();
        aws_sdk_rds::Client::from_conf(elsewhere)
    }
}

async fn configuration(environment: &Environment) -> aws_config::SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(30))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(aws_config::Region::new(environment.aws.region.to_string()))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(200)))
        .timeout_config(timeouts)
        .app_name(app_name());
    if let Some(url) = &environment.aws.endpoint_url {
        loader = loader.endpoint_url(url.as_str());
    }
    match &environment.aws.credentials {
        Credentials::DefaultChain => {}
        Credentials::Profile(profile) => loader = loader.profile_name(profile),
        // Fixed and public on purpose: the sandbox routes by them and guards nothing.
        Credentials::Sandbox => {
            loader = loader.credentials_provider(Keys::new("sandbox", "sandbox", None, None, "environment file"));
        }
    }
    loader.load().await
}

fn app_name() -> aws_config::AppName {
    aws_config::AppName::new("tt-ops").unwrap_or_else(|_| unreachable!("a constant of allowed characters"))
}
