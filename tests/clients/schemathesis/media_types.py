"""How bodies are written that schemathesis does not know: components are bytes."""

import schemathesis

schemathesis.serializer.alias("application/wasm", "application/octet-stream")
