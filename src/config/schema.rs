//! The JSON Schema of `jobs.yaml`, for editors: made from the types that read it.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::raw;

/// The schema of a main file. Editors complete and check by it; `funcron validate` knows more.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<raw::Config>();
    schema.insert("title".to_owned(), json!("funcron's jobs.yaml"));
    if let Some(job) = schema
        .pointer_mut("/definitions/Job")
        .and_then(Value::as_object_mut)
    {
        job.insert("required".to_owned(), json!(["name", "schedule"]));
    }
    schema.to_value()
}
