//! Whether an operator runs, by the Lease that it renews.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::{Api, Client};
use provost_kubernetes::client;

use super::record::{age, second};

/// Where the operator is.
#[derive(clap::Args, Clone, Debug)]
pub struct Whereabouts {
    /// Namespace of the operator
    #[arg(long, env = "PROVOST_OPERATOR_NAMESPACE", default_value = "provost-system", global = true)]
    pub operator_namespace: String,
    /// Name of the operator's Service, and of its Lease
    #[arg(long, env = "PROVOST_OPERATOR_SERVICE", default_value = "provost", global = true)]
    pub service: String,
}

/// Whether an operator runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alive {
    Yes,
    /// Why not, and what to do.
    No(String),
    /// The Lease is not there, which is told, or cannot be read, as by somebody who may not.
    Unknown(Option<String>),
}

impl Alive {
    /// As a machine is told.
    pub fn json(&self) -> serde_json::Value {
        let running = match self {
            Self::Yes => Some(true),
            Self::No(_) => Some(false),
            Self::Unknown(_) => None,
        };
        serde_json::json!({"running": running, "message": self.message()})
    }

    /// What is to be said of it.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Yes => None,
            Self::No(why) => Some(why),
            Self::Unknown(why) => why.as_deref(),
        }
    }
}

/// Asks for the Lease. One that seems not to be renewed is looked at twice: the operator's clock may be another than the API
/// server's.
pub async fn alive(client: &Client, at: &Whereabouts) -> Alive {
    let api: Api<Lease> = Api::namespaced(client.clone(), &at.operator_namespace);
    let name = format!("{}/{}", at.operator_namespace, at.service);
    let Ok(found) = api.get_opt(&at.service).await else { return Alive::Unknown(None) };
    let Some(lease) = found else { return Alive::Unknown(Some(missing(&name))) };
    let now = client::time(client).await.unwrap_or_else(|_| Timestamp::now());
    let spec = lease.spec.clone().unwrap_or_default();
    let Some(why) = silent(&name, &spec, now) else { return Alive::Yes };
    let Some(renewal) = between_renewals(&spec) else { return Alive::No(why) };
    tokio::time::sleep(renewal).await;
    match api.get_opt(&at.service).await {
        Ok(Some(later)) if later.metadata.resource_version != lease.metadata.resource_version => Alive::Yes,
        Ok(_) => Alive::No(why),
        Err(_) => Alive::Unknown(None),
    }
}

/// How long it takes at most until a holder renews it; `None`: nobody holds it.
fn between_renewals(spec: &LeaseSpec) -> Option<Duration> {
    spec.holder_identity.as_ref().filter(|holder| !holder.is_empty())?;
    let seconds = u64::try_from(spec.lease_duration_seconds?).ok()?;
    Some(Duration::from_secs(seconds / 5 + 1))
}

/// Nobody knows whether an operator runs where there is no such Lease: it may have been installed elsewhere.
fn missing(name: &str) -> String {
    format!(
        "no Lease {name} is there: no operator runs, or it is elsewhere; \
         then say where with --operator-namespace and --service"
    )
}

/// Why nobody can be running by what a Lease says.
fn silent(name: &str, lease: &LeaseSpec, now: Timestamp) -> Option<String> {
    let Some(holder) = lease.holder_identity.as_ref().filter(|holder| !holder.is_empty()) else {
        return Some(format!(
            "no operator is running: nobody holds the Lease {name}; start it (its Deployment may be scaled to 0)"
        ));
    };
    let renewed = lease.renew_time.as_ref()?.0;
    let lasts = SignedDuration::from_secs(lease.lease_duration_seconds.unwrap_or_default().into());
    let silent = now.duration_since(renewed) > lasts;
    silent.then(|| {
        format!(
            "no operator is running: {holder} last renewed the Lease {name} {} ago, at {}; look at its Pod",
            age(renewed, now),
            second(renewed)
        )
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

    use super::*;

    #[test]
    fn a_lease_that_nobody_holds_or_renews_says_that_no_operator_runs() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let held = |holder: &str| LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(30),
            renew_time: Some(MicroTime(at(0))),
            ..LeaseSpec::default()
        };
        let said = |lease: &LeaseSpec, second| silent("provost-system/provost", lease, at(second));
        assert_eq!(said(&held("pod-1"), 30), None);
        assert_eq!(
            said(&held("pod-1"), 240).unwrap(),
            "no operator is running: pod-1 last renewed the Lease provost-system/provost \
             4m ago, at 2027-01-15T08:00:00Z; look at its Pod"
        );
        assert!(said(&held(""), 1).unwrap().contains("nobody holds the Lease provost-system/provost; start it"));
    }
}
