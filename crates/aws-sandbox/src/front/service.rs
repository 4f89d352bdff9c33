//! The services the sandbox plays, and the protocol each error must be shaped for.

use std::fmt;

/// A service of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Service {
    Ecs,
    ElasticLoadBalancing,
    CloudWatch,
    Logs,
    S3,
    SecretsManager,
    Sts,
    Ecr,
    Rds,
}

/// How requests and answers look on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json,
    Query,
    Cbor,
    RestXml,
}

impl Service {
    /// By the first part of `X-Amz-Target`, or by the service in the path of an RPC.
    pub(crate) fn of_target(target: &str) -> Option<Self> {
        match target {
            "AmazonEC2ContainerServiceV20141113" => Some(Self::Ecs),
            "Logs_20140328" => Some(Self::Logs),
            "secretsmanager" => Some(Self::SecretsManager),
            "AmazonEC2ContainerRegistry_V20150921" => Some(Self::Ecr),
            "GraniteServiceVersion20100801" => Some(Self::CloudWatch),
            _ => None,
        }
    }

    /// By the service in the credential scope of a signature.
    pub(crate) fn of_scope(scope: &str) -> Option<Self> {
        match scope {
            "ecs" => Some(Self::Ecs),
            "elasticloadbalancing" => Some(Self::ElasticLoadBalancing),
            "monitoring" => Some(Self::CloudWatch),
            "logs" => Some(Self::Logs),
            "s3" => Some(Self::S3),
            "secretsmanager" => Some(Self::SecretsManager),
            "sts" => Some(Self::Sts),
            "ecr" => Some(Self::Ecr),
            "rds" => Some(Self::Rds),
            _ => None,
        }
    }

    /// As in faults and call counts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::ElasticLoadBalancing => "elasticloadbalancing",
            Self::CloudWatch => "cloudwatch",
            Self::Logs => "logs",
            Self::S3 => "s3",
            Self::SecretsManager => "secretsmanager",
            Self::Sts => "sts",
            Self::Ecr => "ecr",
            Self::Rds => "rds",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
