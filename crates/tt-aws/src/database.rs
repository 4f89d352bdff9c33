//! The RDS instance that the service stands on.

use std::time::Duration;

use tokio::{net::TcpStream, time::timeout};
use tt_environment::InstanceName;
use tt_execute::PortError;

use crate::{
    clients::Clients,
    error::{failed, not_found},
};

/// What RDS says, and what the network says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseState {
    /// RDS's status, e.g. `available`.
    pub status: String,
    /// `host:port`, once it has one.
    pub endpoint: Option<String>,
    /// Whether a connection can be opened from here.
    pub reachability: Reachability,
}

/// Of the database, from where the tool runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reachability {
    /// It accepts connections.
    Reached,
    /// It does not; usual from outside the VPC, where the tasks are the ones that must reach it.
    NotFromHere {
        /// The network's words.
        reason: String,
    },
    /// It has no endpoint yet.
    NoEndpoint,
}

impl Clients {
    /// Describes the instance and tries to open a connection.
    pub async fn database(&self, instance: &InstanceName) -> Result<DatabaseState, PortError> {
        let action = format!("describe database instance `{instance}`");
        let answer = self
            .rds
            .describe_db_instances()
            .db_instance_identifier(instance.as_str())
            .send()
            .await
            .map_err(failed(action.clone()))?;
        let found = answer.db_instances().first().ok_or_else(|| {
            not_found(
                action,
                "there is no such instance in this account and region",
                "correct `database.instance` in the environment file",
            )
        })?;
        let endpoint = found
            .endpoint()
            .and_then(|endpoint| Some(format!("{}:{}", endpoint.address()?, endpoint.port()?)));
        let reachability = match &endpoint {
            Some(address) => reach(address).await,
            None => Reachability::NoEndpoint,
        };
        Ok(DatabaseState {
            status: found.db_instance_status().unwrap_or("unknown").to_owned(),
            endpoint,
            reachability,
        })
    }
}

async fn reach(address: &str) -> Reachability {
    match timeout(Duration::from_secs(3), TcpStream::connect(address)).await {
        Ok(Ok(_stream)) => Reachability::Reached,
        Ok(Err(error)) => Reachability::NotFromHere {
            reason: error.to_string(),
        },
        Err(_elapsed) => Reachability::NotFromHere {
            reason: "no answer within 3 s".to_owned(),
        },
    }
}
