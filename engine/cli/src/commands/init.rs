//! `rematch init`.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::print;
use crate::arguments::InitArguments;
use crate::exit::{Exit, Failure};

/// The example: every file that runs as it is, from the project's own sample data.
const FILES: [(&str, &[u8]); 4] = [
    ("bench.toml", include_bytes!("../../../../data/shop/bench.toml")),
    ("sessions.parquet", include_bytes!("../../../../data/shop/sessions.parquet")),
    ("products.jsonl", include_bytes!("../../../../data/shop/products.jsonl")),
    ("half-life-utility.wasm", include_bytes!("../../../../plugins/half-life-utility/half-life-utility.wasm")),
];

/// Writes a commented example benchmark with its data.
pub(crate) fn init(arguments: &InitArguments) -> Result<Exit, Failure> {
    let directory = &arguments.directory;
    let cannot = |what: &str, path: &Path| format!("cannot {what} `{}`", path.display());
    if !arguments.force {
        let there = FILES.iter().map(|(name, _)| directory.join(name)).find(|path| path.exists());
        if let Some(path) = there {
            let message = format!("`{}` is there already; `--force` overwrites it", path.display());
            return Err(Failure::new(Exit::Usage, anyhow::Error::msg(message)));
        }
    }
    fs::create_dir_all(directory)
        .with_context(|| cannot("make", directory))
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    for (name, content) in FILES {
        let path = directory.join(name);
        let content = if name == "bench.toml" { localised(content) } else { content.to_vec() };
        fs::write(&path, content)
            .with_context(|| cannot("write", &path))
            .map_err(|error| Failure::new(Exit::Usage, error))?;
    }
    let benchmark = directory.join("bench.toml");
    print(&format!("wrote {} with its data; run it:\n  rematch run {}\n", benchmark.display(), benchmark.display()))?;
    Ok(Exit::Done)
}

/// The example's paths as they lie in the new folder: everything beside the benchmark file.
fn localised(benchmark: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(benchmark);
    text.replace("../../plugins/half-life-utility/", "").replace("../../runs", "runs").into_bytes()
}
