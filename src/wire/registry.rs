//! A Confluent-contract schema registry, asked over HTTP and remembered.
//! Promise: a schema is fetched once per process; an unknown id is told apart from a registry that
//! does not answer. It blocks: call it from a thread of its own, never from an async task.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apache_avro::Schema;
use schema_registry_converter::blocking::schema_registry::{
    SrSettings, get_referenced_schema, get_schema_by_id, post_schema,
};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{
    RawError, RegisteredSchema, SchemaType, SuppliedSchema,
};

use super::avro::writer;
use super::{Error, RegistryOptions};

/// Schemas that one may refer to, its references' references included.
const REFERENCES_MAX: usize = 100;

/// What the registry has under an id: a schema, or why that is none which Avro can use.
pub type Found = Arc<Result<Schema, String>>;

#[derive(Debug)]
pub struct Registry {
    settings: SrSettings,
    found: Mutex<HashMap<u32, Found>>,
    ids: Mutex<HashMap<String, u32>>,
}

impl Registry {
    /// Makes no call yet.
    ///
    /// # Errors
    /// When the settings make no HTTP client.
    pub fn new(options: &RegistryOptions) -> Result<Registry, Error> {
        let mut builder = SrSettings::new_builder(options.url.trim_end_matches('/').to_owned());
        builder.set_timeout(Duration::from_millis(options.timeout_ms));
        if let Some(user) = &options.user {
            builder.set_basic_authorization(user, options.password.as_deref());
        }
        let settings = builder.build().map_err(|fault| Error::RegistrySettings(cause(&fault)))?;
        Ok(Registry { settings, found: Mutex::default(), ids: Mutex::default() })
    }

    /// The writer's schema under `id`; `None` when the registry does not know it. That answer is
    /// not remembered: the id may be registered later.
    ///
    /// # Errors
    /// When the registry cannot be asked.
    pub fn find(&self, id: u32) -> Result<Option<Found>, Error> {
        if let Some(found) = lock(&self.found).get(&id) {
            return Ok(Some(Arc::clone(found)));
        }
        let registered = match get_schema_by_id(id, &self.settings) {
            Ok(registered) => registered,
            Err(fault) if is_unknown(&fault) => return Ok(None),
            Err(fault) => return Err(unanswered(format!("get schema {id}"), &fault)),
        };
        let found = Arc::new(self.parse(&registered)?);
        lock(&self.found).insert(id, Arc::clone(&found));
        Ok(Some(found))
    }

    /// The id of `schema` under `subject`, registered if it is not yet.
    ///
    /// # Errors
    /// When the registry cannot be asked, or declines the schema.
    pub fn register(&self, subject: &str, schema: &str) -> Result<u32, Error> {
        if let Some(id) = lock(&self.ids).get(subject) {
            return Ok(*id);
        }
        let supplied = SuppliedSchema::new(None, SchemaType::Avro, schema.to_owned());
        let registered = post_schema(&self.settings, subject.to_owned(), supplied)
            .map_err(|fault| unanswered(format!("register {subject}"), &fault))?;
        lock(&self.ids).insert(subject.to_owned(), registered.id);
        Ok(registered.id)
    }

    fn parse(&self, registered: &RegisteredSchema) -> Result<Result<Schema, String>, Error> {
        if registered.schema_type != SchemaType::Avro {
            return Ok(Err(format!("it is {:?}", registered.schema_type)));
        }
        let mut referenced = Vec::new();
        self.collect_references(registered, &mut referenced)?;
        let mut texts = [&registered.schema].into_iter().chain(&referenced);
        if let Err(fault) = texts.try_for_each(|text| writer::check(text)) {
            return Ok(Err(fault));
        }
        let parsed = Schema::parse_str_with_list(&registered.schema, &referenced);
        let whole = parsed.and_then(|(mut schema, others)| {
            schema.denormalize(&others)?;
            Ok(schema)
        });
        Ok(whole.map_err(|fault| fault.to_string()))
    }

    fn collect_references(
        &self,
        registered: &RegisteredSchema,
        texts: &mut Vec<String>,
    ) -> Result<(), Error> {
        for reference in &registered.references {
            if texts.len() >= REFERENCES_MAX {
                return Ok(());
            }
            let act = || format!("get {} version {}", reference.subject, reference.version);
            let other = get_referenced_schema(&self.settings, reference)
                .map_err(|fault| unanswered(act(), &fault))?;
            if !texts.contains(&other.schema) {
                texts.push(other.schema.clone());
                self.collect_references(&other, texts)?;
            }
        }
        Ok(())
    }
}

/// The maps are whole after any panic: each change is one insert.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 404xx: subject, version or schema not found.
fn is_unknown(fault: &SRCError) -> bool {
    let source = std::error::Error::source(fault);
    let raw = source.and_then(|source| source.downcast_ref::<RawError>());
    raw.is_some_and(|raw| raw.error_code / 100 == 404)
}

fn unanswered(act: String, fault: &SRCError) -> Error {
    Error::Registry { act, cause: cause(fault) }
}

fn cause(fault: &SRCError) -> String {
    match &fault.cause {
        Some(cause) => format!("{}: {cause}", fault.error),
        None => fault.error.clone(),
    }
}
