//! From a file to the bytes of a component: size, kind and pinned hash.

use std::io::Read;

use super::SandboxError;
use crate::benchmark::PluginPlan;
use crate::storage::Blob;
use crate::store::sha256_of_bytes;

pub(crate) const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
pub(crate) const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// A component file's content.
pub(crate) struct ComponentFile {
    pub(crate) bytes: Vec<u8>,
    /// SHA-256 of the bytes, in lower-case hex.
    pub(crate) sha256: String,
}

/// Reads a component and checks all that can be checked without compiling it.
pub(crate) fn read(plugin: &PluginPlan) -> Result<ComponentFile, SandboxError> {
    let mut bytes = Vec::new();
    let limit = plugin.limits.component_bytes;
    let file = Blob::open(&plugin.path);
    file.and_then(|file| file.reader(0).take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|source| SandboxError::Read { path: plugin.path.clone(), source })?;
    if bytes.len() as u64 > limit {
        return Err(refused(plugin, format!("it is larger than the limit of {limit} bytes")));
    }
    let file = ComponentFile { sha256: sha256_of_bytes(&bytes), bytes };
    check(&file, plugin).map_err(|reason| refused(plugin, reason))?;
    Ok(file)
}

/// Returns the error of a component that is refused.
pub(crate) fn refused(plugin: &PluginPlan, reason: String) -> SandboxError {
    SandboxError::Load { path: plugin.path.clone(), reason }
}

fn check(file: &ComponentFile, plugin: &PluginPlan) -> Result<(), String> {
    if let Some(expected) = &plugin.sha256
        && *expected != file.sha256
    {
        return Err(format!(
            "its SHA-256 is `{}`, expected `{expected}`; check the file, or mend `sha256`",
            file.sha256
        ));
    }
    if file.bytes.starts_with(CORE_MODULE) {
        return Err("it is a core module, expected a component; pack it with `rematch plugin pack`".to_owned());
    }
    if !file.bytes.starts_with(COMPONENT) {
        return Err("it is not a WebAssembly component".to_owned());
    }
    Ok(())
}
