//! Arguments that have to be text because they are written into TOML and JSON, which paths need not be.

use std::ffi::OsString;

use clap::builder::{OsStringValueParser, TypedValueParser};

/// Takes UTF-8, and refuses anything else by its value.
pub fn parser<T>() -> impl TypedValueParser<Value = T>
where
    T: From<String> + Clone + Send + Sync + 'static,
{
    OsStringValueParser::new().try_map(|value: OsString| {
        value
            .into_string()
            .map(T::from)
            .map_err(|_| "it is not UTF-8: rename it, or make a link to it that has another name")
    })
}
