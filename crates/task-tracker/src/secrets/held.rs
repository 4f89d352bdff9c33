//! A secret that AWS Secrets Manager holds, read by the service itself: at the start, and again while it runs.
//!
//! ECS puts secrets into the environment of a container once, when it starts (Amazon ECS Developer Guide, "Pass Secrets Manager
//! secrets through Amazon ECS environment variables"); who is to notice a rotation has to ask. Never shows or keeps on disk
//! what it was told.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_credential_types::provider::{error::CredentialsError, future};
use aws_sdk_secretsmanager::{
    Client, Config,
    config::{BehaviorVersion, Credentials, ProvideCredentials, Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
};
use secrecy::SecretString;
use time::OffsetDateTime;
use tokio::sync::Mutex;

use crate::{
    credentials::{BadSource, Source},
    outbound::Outbound,
};

/// How old what is known may become where nothing failed: every answer costs money, and a line in the account's trail.
pub(crate) const ROUTINE: Duration = Duration::from_mins(5);
/// The same where something did fail.
pub(crate) const URGENT: Duration = Duration::from_secs(1);

/// One secret, and who can read it; cheap to clone.
#[derive(Clone)]
pub(crate) struct Held(Arc<Inner>);

struct Inner {
    /// Which variable names it.
    variable: &'static str,
    arn: String,
    client: Client,
    last: Mutex<Option<(Instant, Result<SecretString, Unheld>)>>,
}

/// Why a secret was not read; the text never repeats a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unheld {
    /// The variable holds something else, perhaps the secret itself.
    #[error("{variable} is not the ARN of a secret; give it as arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME")]
    NotAnArn {
        /// The variable.
        variable: &'static str,
    },
    /// Nobody to ask as.
    #[error(
        "{variable} names a secret and there are no AWS credentials to read it with; give the task a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NoCredentials {
        /// The variable.
        variable: &'static str,
    },
    /// The environment names AWS credentials in a way that cannot be followed.
    #[error(transparent)]
    Credentials(#[from] BadSource),
    /// Secrets Manager refused, or did not answer.
    #[error(
        "the secret that {variable} names could not be read: {why}; check the ARN, the way to Secrets Manager, and that the role may secretsmanager:GetSecretValue it, and kms:Decrypt with its key"
    )]
    Unread {
        /// The variable.
        variable: &'static str,
        /// In AWS's words, which name who asked, and what for.
        why: String,
    },
    /// There is no text in it.
    #[error("the secret that {variable} names is binary; put it there as text")]
    Binary {
        /// The variable.
        variable: &'static str,
    },
}

impl Held {
    /// The secret whose ARN stands in this variable; None when it is not set. Nobody is asked yet.
    pub(crate) fn named_by(
        name: &'static str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Unheld> {
        let Some(arn) = variable(name) else {
            return Ok(None);
        };
        let region = region_of(&arn).ok_or(Unheld::NotAnArn { variable: name })?;
        let source = Source::read(&variable)?.ok_or(Unheld::NoCredentials { variable: name })?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(3))
            .operation_timeout(Duration::from_secs(8))
            .build();
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(Role {
                source,
                outbound: Outbound::new(),
            })
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts);
        // AWS SDKs and Tools Reference Guide, "Service-specific endpoints".
        config.set_endpoint_url(variable("AWS_ENDPOINT_URL_SECRETS_MANAGER").or_else(|| variable("AWS_ENDPOINT_URL")));
        Ok(Some(Self(Arc::new(Inner {
            variable: name,
            arn,
            client: Client::from_conf(config.build()),
            last: Mutex::default(),
        }))))
    }

    /// What it holds, or why that is not known; told at most so long ago.
    pub(crate) async fn value(&self, age: Duration) -> Result<SecretString, Unheld> {
        let inner = Arc::clone(&self.0);
        // By a task of its own: whoever asks may be a request whose client hangs up, and the next one wants the answer.
        let asking = tokio::spawn(async move {
            let mut last = inner.last.lock().await;
            if let Some((at, outcome)) = &*last
                && at.elapsed() < age
            {
                return outcome.clone();
            }
            let outcome = inner.ask().await;
            // The first time, whoever asks says so.
            if let (Some(_), Err(cause)) = (&*last, &outcome) {
                tracing::warn!(%cause, "a secret could not be read again; what is known of it stays in use");
            }
            *last = Some((Instant::now(), outcome.clone()));
            outcome
        });
        asking.await.unwrap_or_else(|_| {
            Err(Unheld::Unread {
                variable: self.0.variable,
                why: "the service is ending".into(),
            })
        })
    }
}

impl Inner {
    async fn ask(&self) -> Result<SecretString, Unheld> {
        let variable = self.variable;
        let answer = self.client.get_secret_value().secret_id(&self.arn).send().await;
        let answer = answer.map_err(|cause| Unheld::Unread {
            variable,
            why: words(&cause),
        });
        answer?
            .secret_string
            .map(SecretString::from)
            .ok_or(Unheld::Binary { variable })
    }
}

/// Of `arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME` (AWS Secrets Manager User Guide, "Resource types").
fn region_of(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", partition, "secretsmanager", region, account, "secret", name] = parts[..] else {
        return None;
    };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (is_account && !partition.is_empty() && !region.is_empty() && !name.is_empty()).then_some(region)
}

fn words<E: ProvideErrorMetadata + std::error::Error + 'static>(cause: &SdkError<E>) -> String {
    match (cause.code(), cause.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => DisplayErrorContext(cause).to_string(),
    }
}

/// Who the service is to AWS, as the SDK wants to be told it.
struct Role {
    source: Source,
    outbound: Outbound,
}

impl fmt::Debug for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(formatter)
    }
}

impl ProvideCredentials for Role {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let known = self.source.get(&self.outbound, OffsetDateTime::now_utc()).await;
            let known = known.map_err(CredentialsError::provider_error)?;
            let token = known.session_token().map(str::to_owned);
            // Without an end, the SDK asks again after 15 minutes; the source knows when they do end.
            Ok(Credentials::new(
                known.access_key.clone(),
                known.secret_key(),
                token,
                None,
                "task-tracker",
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_where_its_secret_is() {
        for (arn, expected) in [
            (
                "arn:aws:secretsmanager:eu-central-1:123456789012:secret:tasks/url-AbCdEf",
                Some("eu-central-1"),
            ),
            (
                "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:rds!db-1",
                Some("cn-north-1"),
            ),
            (
                "arn:aws:secretsmanager:eu-central-1:123456789012:secret:tasks/url:password::",
                None,
            ),
            ("arn:aws:ssm:eu-central-1:123456789012:parameter:url", None),
            ("arn:aws:secretsmanager::123456789012:secret:url", None),
            ("arn:aws:secretsmanager:eu-central-1:1234:secret:url", None),
            ("postgres://app:hunter2@db/tasks", None),
        ] {
            assert_eq!(region_of(arn), expected, "{arn}");
        }
    }
}
