//! Reads a stage from the file, so that a mistake is told at its place.
//!
//! Which keys a stage takes depends on `kind`. Serde's own way to such tables (tags, `flatten`) reads all values first and
//! forgets where they stood; here the keys that follow `kind` go straight to the struct of that kind.

use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::spec::KindName;
use super::{StageKindSpec, StageSpec};
use crate::benchmark::diagnostic::did_you_mean;

impl<'de> Deserialize<'de> for StageSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StageVisitor)
    }
}

struct StageVisitor;

impl<'de> Visitor<'de> for StageVisitor {
    type Value = StageSpec;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a stage: a table with the key `kind`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StageSpec, A::Error> {
        let mut common = Common::default();
        let mut before = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "kind" {
                let kind: KindName = map.next_value()?;
                let keys = Keys { kind, before: before.into_iter(), value: None, map: &mut map, common: &mut common };
                let kind = StageKindSpec::read(kind, keys)?;
                let Common { name, on_error, depth } = common;
                return Ok(StageSpec { name, on_error, depth, kind });
            }
            if !common.take(&key, &mut map)? {
                before.push((key, map.next_value::<toml::Value>()?));
            }
        }
        Err(de::Error::missing_field("kind"))
    }
}

/// The keys that every stage may have.
#[derive(Default)]
struct Common {
    name: Option<String>,
    on_error: Option<super::OnStageError>,
    depth: Option<std::num::NonZeroUsize>,
}

impl Common {
    /// Reads the value of `key` if it is one of these keys.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "name" => self.name = Some(map.next_value()?),
            "on-error" => self.on_error = Some(map.next_value()?),
            "depth" => self.depth = Some(map.next_value()?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The keys of one kind: those that stood before `kind`, and those that follow.
struct Keys<'a, A> {
    kind: KindName,
    before: std::vec::IntoIter<(String, toml::Value)>,
    /// The value of the last key, where it stood before `kind`.
    value: Option<toml::Value>,
    map: &'a mut A,
    common: &'a mut Common,
}

impl<'de, A: MapAccess<'de>> Deserializer<'de> for Keys<'_, A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(Known { keys: self, fields: &[] })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let kind = self.kind;
        // What a table inside of the stage lacks is said of that table, by its own error.
        let named = |error: A::Error| {
            let said = error.to_string();
            let key = said.lines().next().and_then(|line| line.strip_prefix("missing field `")?.strip_suffix('`'));
            match key.filter(|key| fields.contains(key)) {
                Some(key) => de::Error::custom(format!("a `{}` stage needs the key `{key}`", kind.as_str())),
                None => error,
            }
        };
        visitor.visit_map(Known { keys: self, fields }).map_err(named)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The keys, of which only those of the kind are legal.
struct Known<'a, A> {
    keys: Keys<'a, A>,
    fields: &'static [&'static str],
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Known<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Keys { kind, before, value, map, common } = &mut self.keys;
        let key = match before.next() {
            Some((key, before)) => {
                *value = Some(before);
                key
            }
            None => loop {
                let Some(key) = map.next_key::<String>()? else { return Ok(None) };
                if !common.take(&key, *map)? {
                    break key;
                }
            },
        };
        if !self.fields.contains(&key.as_str()) {
            let near = did_you_mean(&key, self.fields.iter().copied());
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(de::Error::custom(format!("a `{}` stage takes no key `{key}`{near}", kind.as_str())));
        }
        let key: StringDeserializer<A::Error> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.keys.value.take() {
            Some(value) => seed.deserialize(value).map_err(de::Error::custom),
            None => self.keys.map.next_value_seed(seed),
        }
    }
}
