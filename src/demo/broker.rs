//! The embedded broker: librdkafka's mock cluster on a loopback port. Promise: it speaks the real
//! protocol, so that everything else runs as on Apache Kafka. It keeps nothing on disk and 5 MiB a
//! partition, the oldest dropped in silence: for trying out, never for real use.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::{Error, topics};

pub struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Broker {
    /// Starts one broker with every topic in as many partitions.
    pub fn start(partitions: u32) -> Result<Broker, Error> {
        let cluster = MockCluster::new(1).map_err(Error::Broker)?;
        let partitions = i32::try_from(partitions).expect("a handful of partitions");
        for topic in topics::ALL {
            cluster.create_topic(topic, partitions, 1).map_err(Error::Broker)?;
        }
        Ok(Broker { cluster })
    }

    /// `host:port` for every client, `kcat` too.
    pub fn bootstrap(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}
