//! Asks the brokers about topics, and creates the missing ones.
//! Promise: asking creates nothing (all topics are asked for, never one by name), and creating
//! leaves existing topics alone. Both block; they must not be called inside an async runtime.

use std::collections::BTreeMap;

use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::{Report, Topic, judge, roles};
use crate::config::{Config, KafkaOptions};

/// What `create` did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Created {
    pub made: Vec<String>,
    /// Those that existed and were left as they are.
    pub found: Vec<String>,
    /// Partitions of each topic made.
    pub partitions: usize,
}

/// Why the brokers were of no help.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot set up a Kafka client")]
    Client(#[source] KafkaError),
    #[error("no answer from the brokers at {bootstrap}")]
    Unreachable { bootstrap: String, source: KafkaError },
    #[error("cannot create topics on {bootstrap}")]
    Create { bootstrap: String, source: KafkaError },
    #[error("cannot create topic {topic} (copies: {replication}, brokers: {brokers})")]
    Refused { topic: String, replication: u16, brokers: usize, source: RDKafkaErrorCode },
    #[error("cannot start a runtime")]
    Runtime(#[source] std::io::Error),
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        let remedy = match &error {
            Error::Client(_) => "check kafka.client with `tollgate config check`".to_owned(),
            Error::Unreachable { .. } | Error::Create { .. } => {
                "check kafka.bootstrap, that the brokers run, and kafka.client (security)"
                    .to_owned()
            }
            Error::Refused { brokers, source, .. } => match source {
                RDKafkaErrorCode::InvalidReplicationFactor => {
                    format!("set topics.replication to at most {brokers}")
                }
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed => {
                    "let this user create topics, or create them by hand".to_owned()
                }
                _ => "see the brokers' log".to_owned(),
            },
            Error::Runtime(_) => "free some memory or threads".to_owned(),
        };
        crate::error::Error::failed("the topics are not usable").because(error).remedy(remedy)
    }
}

/// Compares the topics on the brokers with what the engine assumes.
///
/// # Errors
/// Only if the brokers could not be asked; deviations are in the report.
pub fn check(config: &Config) -> Result<Report, Error> {
    let admin = Admin::connect(&config.kafka)?;
    let topics = admin.topics(config)?;
    Ok(judge(config, &topics))
}

/// Creates the topics that do not exist.
///
/// # Errors
/// If the brokers could not be asked, or refused one of them.
pub fn create(config: &Config) -> Result<Created, Error> {
    let admin = Admin::connect(&config.kafka)?;
    let existing = admin.topics(config)?;
    let wanted = config.topics.partitions as usize;
    let partitions = existing.get(&config.topics.billed).map_or(wanted, |billed| billed.partitions);
    let mut created = Created { partitions, ..Created::default() };
    let mut settings = Vec::new();
    for (role, name) in roles(&config.topics) {
        if existing.contains_key(name) {
            created.found.push(name.to_owned());
        } else {
            created.made.push(name.to_owned());
            settings.push((name, role.settings(&config.topics)));
        }
    }
    let topics: Vec<NewTopic> = settings
        .iter()
        .map(|(name, settings)| {
            let copies = TopicReplication::Fixed(config.topics.replication.into());
            // Both counts are bounded far below i32 by the configuration's rules.
            let count = i32::try_from(partitions).unwrap_or(i32::MAX);
            let topic = NewTopic::new(name, count, copies);
            settings.iter().fold(topic, |topic, (setting, value)| topic.set(setting, value))
        })
        .collect();
    if !topics.is_empty() {
        admin.create(config, &topics)?;
    }
    Ok(created)
}

struct Admin {
    client: AdminClient<DefaultClientContext>,
    options: AdminOptions,
    runtime: tokio::runtime::Runtime,
    kafka: KafkaOptions,
}

impl Admin {
    fn connect(kafka: &KafkaOptions) -> Result<Admin, Error> {
        let timeout = kafka.request_timeout();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        Ok(Admin {
            client: kafka.client_config().create().map_err(Error::Client)?,
            options: AdminOptions::new()
                .request_timeout(Some(timeout))
                .operation_timeout(Some(timeout)),
            runtime: runtime.map_err(Error::Runtime)?,
            kafka: kafka.clone(),
        })
    }

    fn bootstrap(&self) -> String {
        self.kafka.bootstrap.join(",")
    }

    fn metadata(&self) -> Result<rdkafka::metadata::Metadata, Error> {
        let asked = self.client.inner().fetch_metadata(None, self.kafka.request_timeout());
        asked.map_err(|source| Error::Unreachable { bootstrap: self.bootstrap(), source })
    }

    /// Those of our topics that exist.
    fn topics(&self, config: &Config) -> Result<BTreeMap<String, Topic>, Error> {
        let metadata = self.metadata()?;
        let ours = roles(&config.topics);
        let mut topics = BTreeMap::new();
        for topic in metadata.topics() {
            if !ours.iter().any(|(_, name)| *name == topic.name()) || topic.error().is_some() {
                continue;
            }
            let copies = topic.partitions().iter().map(|partition| partition.replicas().len());
            let found = Topic {
                partitions: topic.partitions().len(),
                replication: copies.min().unwrap_or(0),
                settings: None,
            };
            topics.insert(topic.name().to_owned(), found);
        }
        self.describe(&mut topics)?;
        Ok(topics)
    }

    /// Fills in the settings; topics whose settings the brokers do not tell stay without.
    fn describe(&self, topics: &mut BTreeMap<String, Topic>) -> Result<(), Error> {
        let names: Vec<String> = topics.keys().cloned().collect();
        let asked: Vec<ResourceSpecifier> =
            names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let answer = self.runtime.block_on(self.client.describe_configs(&asked, &self.options));
        let answers = match answer {
            Ok(answers) => answers,
            Err(KafkaError::AdminOp(RDKafkaErrorCode::UnsupportedFeature)) => return Ok(()),
            Err(source) => {
                return Err(Error::Unreachable { bootstrap: self.bootstrap(), source });
            }
        };
        for resource in answers {
            let resource = match resource {
                Ok(resource) => resource,
                Err(code) => {
                    tracing::debug!(%code, "a topic does not tell its settings");
                    continue;
                }
            };
            if let OwnedResourceSpecifier::Topic(name) = &resource.specifier
                && let Some(topic) = topics.get_mut(name)
            {
                let told = resource.entries.into_iter();
                let told = told.filter_map(|entry| Some((entry.name, entry.value?)));
                topic.settings = Some(told.collect());
            }
        }
        Ok(())
    }

    fn create(&self, config: &Config, topics: &[NewTopic]) -> Result<(), Error> {
        let answer = self.runtime.block_on(self.client.create_topics(topics, &self.options));
        let failed = |source| Error::Create { bootstrap: self.bootstrap(), source };
        for answer in answer.map_err(failed)? {
            match answer {
                // Somebody else was faster.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, source)) => {
                    let brokers = self.metadata()?.brokers().len();
                    let replication = config.topics.replication;
                    return Err(Error::Refused { topic, replication, brokers, source });
                }
            }
        }
        Ok(())
    }
}
