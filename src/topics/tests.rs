//! Claims about judging topics: what is created passes, and each deviation has its remedy.

use std::collections::BTreeMap;

use super::*;

fn as_created(config: &Config) -> BTreeMap<String, Topic> {
    let topics = &config.topics;
    let made = |role: Role| Topic {
        partitions: topics.partitions as usize,
        replication: topics.replication.into(),
        settings: Some(
            role.settings(topics)
                .into_iter()
                .map(|(setting, value)| (setting.to_owned(), value))
                .collect(),
        ),
    };
    roles(topics).into_iter().map(|(role, name)| (name.to_owned(), made(role))).collect()
}

fn change(topics: &mut BTreeMap<String, Topic>, name: &str, setting: &str, value: &str) {
    let topic = topics.get_mut(name).expect("it was created");
    let settings = topic.settings.as_mut().expect("it tells its settings");
    settings.insert(setting.to_owned(), value.to_owned());
}

fn shown(config: &Config, topics: &BTreeMap<String, Topic>) -> Vec<String> {
    judge(config, topics).findings.iter().map(Finding::to_string).collect()
}

#[test]
fn what_create_makes_is_what_check_wants() {
    let mut config = Config::default();
    for days in [None, Some(400)] {
        config.topics.log_retention_days = days;
        let report = judge(&config, &as_created(&config));
        assert_eq!(report.findings, []);
        assert_eq!(report.partitions, Some(8));
    }
}

#[test]
fn a_single_copy_is_one_warning_and_no_error() {
    let mut config = Config::default();
    config.topics.replication = 1;
    let report = judge(&config, &as_created(&config));
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].topics.len(), 11);
    assert!(!report.has_errors());
}

#[test]
fn every_deviation_is_reported_at_once_with_its_remedy() {
    let config = Config::default();
    let mut topics = as_created(&config);
    topics.remove("tollgate.dead-letter");
    topics.get_mut("tollgate.limit-reached").expect("created").partitions = 4;
    topics.get_mut("tollgate.threshold-crossed").expect("created").partitions = 9;
    change(&mut topics, "messages.billed", "message.timestamp.type", "CreateTime");
    change(&mut topics, "messages.billed", "retention.ms", "604800000");
    change(&mut topics, "tollgate.commands", "retention.ms", "604800000");
    change(&mut topics, "tollgate.journal", "min.insync.replicas", "1");
    change(&mut topics, "tollgate.block-state", "cleanup.policy", "compact,delete");
    let alter = "kafka-configs.sh --bootstrap-server 127.0.0.1:9092 --alter --entity-type \
                 topics --entity-name";
    assert_eq!(
        shown(&config, &topics),
        [
            format!(
                "error: messages.billed: has message.timestamp.type=CreateTime: the fold's \
                 time would follow the clocks of producers\n  next: {alter} messages.billed \
                 --add-config message.timestamp.type=LogAppendTime"
            ),
            format!(
                "error: tollgate.commands: has retention.ms=604800000: limits would be \
                 forgotten\n  next: {alter} tollgate.commands --add-config retention.ms=-1"
            ),
            format!(
                "error: tollgate.journal: has min.insync.replicas=1: a record counts as written \
                 with one copy, and vanishes with its broker\n  next: {alter} \
                 tollgate.journal --add-config min.insync.replicas=2"
            ),
            "error: tollgate.threshold-crossed: has 9 partitions, but messages.billed has 8: \
             all topics need the same count\n  next: kafka-topics.sh cannot take partitions \
             away: name a new topic in topics.* and run tollgate topics create, or give \
             messages.billed the count it had"
                .to_owned(),
            "error: tollgate.limit-reached: has 4 partitions, but messages.billed has 8: all \
             topics need the same count\n  next: if nothing was folded yet: kafka-topics.sh \
             --bootstrap-server 127.0.0.1:9092 --alter --topic tollgate.limit-reached \
             --partitions 8; else accounts have moved: name a new set of topics"
                .to_owned(),
            format!(
                "error: tollgate.block-state: has cleanup.policy=compact,delete: blocks would \
                 be forgotten, or pile up\n  next: {alter} tollgate.block-state --add-config \
                 cleanup.policy=compact"
            ),
            "error: tollgate.dead-letter: does not exist\n  next: tollgate topics create, with \
             the same configuration"
                .to_owned(),
            format!(
                "warning: messages.billed: has retention.ms=604800000 (7 days): a partition \
                 whose state is lost after that cannot be rebuilt\n  next: {alter} \
                 messages.billed --add-config retention.ms=-1; or accept it: \
                 topics.log_retention_days = 7"
            ),
        ]
    );
}

#[test]
fn more_insync_replicas_than_copies_stop_the_start() {
    let mut config = Config::default();
    config.topics.replication = 1;
    let mut topics = as_created(&config);
    change(&mut topics, "tollgate.journal", "min.insync.replicas", "2");
    let report = judge(&config, &topics);
    let finding = report.findings.iter().find(|found| found.severity == Severity::Error);
    let finding = finding.expect("nothing can be written");
    assert!(finding.remedy.ends_with("min.insync.replicas=1"), "{finding}");
}

#[test]
fn a_broker_that_tells_no_settings_is_a_warning() {
    let config = Config::default();
    let mut topics = as_created(&config);
    for topic in topics.values_mut() {
        topic.settings = None;
    }
    let report = judge(&config, &topics);
    assert_eq!(report.findings.len(), 1);
    assert!(!report.has_errors());
}
