//! What the load balancing API refuses, with the codes of the Elastic Load Balancing API Reference.

use std::io;
use std::net::SocketAddrV4;

use crate::wire::QueryError;

/// A call that cannot be carried out; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ElbError {
    #[error("One or more load balancers not found: {0}")]
    LoadBalancerNotFound(String),
    #[error("One or more target groups not found: {0}")]
    TargetGroupNotFound(String),
    #[error("One or more listeners not found: {0}")]
    ListenerNotFound(String),
    #[error("One or more rules not found: {0}")]
    RuleNotFound(String),
    #[error("A load balancer with the same name '{0}' exists, but with different settings")]
    DuplicateLoadBalancerName(String),
    #[error("A target group with the same name '{0}' exists, but with different settings")]
    DuplicateTargetGroupName(String),
    #[error("A listener already exists on port {0} of this load balancer, with different settings")]
    DuplicateListener(u16),
    #[error("Priority '{0}' is currently in use")]
    PriorityInUse(u32),
    #[error("Target group '{0}' is currently in use by a listener or a rule")]
    ResourceInUse(String),
    #[error("The target group '{0}' is associated with another load balancer")]
    TargetGroupAssociationLimit(String),
    #[error("{0}")]
    OperationNotPermitted(String),
    #[error("{0}")]
    InvalidAction(String),
    #[error("{0}")]
    InvalidTarget(String),
    #[error("{0}")]
    Validation(String),
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// A listener whose port cannot be opened. On AWS every load balancer has addresses of its own; here all share one.
#[derive(Debug, thiserror::Error)]
#[error("could not listen on {address}: another program or another load balancer of this sandbox has it")]
pub(crate) struct ListenError {
    pub(crate) address: SocketAddrV4,
    #[source]
    pub(crate) cause: io::Error,
}

impl ElbError {
    fn code(&self) -> &'static str {
        match self {
            Self::LoadBalancerNotFound(_) => "LoadBalancerNotFound",
            Self::TargetGroupNotFound(_) => "TargetGroupNotFound",
            Self::ListenerNotFound(_) => "ListenerNotFound",
            Self::RuleNotFound(_) => "RuleNotFound",
            Self::DuplicateLoadBalancerName(_) => "DuplicateLoadBalancerName",
            Self::DuplicateTargetGroupName(_) => "DuplicateTargetGroupName",
            Self::DuplicateListener(_) => "DuplicateListener",
            Self::PriorityInUse(_) => "PriorityInUse",
            Self::ResourceInUse(_) => "ResourceInUse",
            Self::TargetGroupAssociationLimit(_) => "TargetGroupAssociationLimit",
            Self::OperationNotPermitted(_) => "OperationNotPermitted",
            Self::InvalidAction(_) => "InvalidLoadBalancerAction",
            Self::InvalidTarget(_) => "InvalidTarget",
            Self::Validation(_) => "ValidationError",
            Self::Listen(_) => "InvalidConfigurationRequest",
        }
    }
}

impl From<ElbError> for QueryError {
    fn from(error: ElbError) -> Self {
        Self::sender(error.code(), error.to_string())
    }
}
