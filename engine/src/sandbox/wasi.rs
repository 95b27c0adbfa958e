//! Inert stand-ins for WASI 0.2: what a language's runtime wants to find, though a scorer has no use for it.
//!
//! They are made from the component's own import types, so that any 0.2.x will do. Clocks stand still, random numbers
//! are the same in every call, the environment is empty, output is swallowed, input has ended, whatever could fail
//! fails, and leaving by `exit` is a trap. Nothing that a guest can find out differs between two calls or two machines.

use wasmtime::StoreContextMut;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, Resource, ResourceType, Type, Val};

use super::imports::Provision;
use super::limits::Sandboxed;
use super::log;

/// The moment at which all clocks stand: 14 November 2023, 22:13:20 UTC.
const NOW_SECONDS: u64 = 1_700_000_000;

/// Most random bytes of one request.
const MAX_RANDOM_BYTES: u64 = 64 << 10;

/// What an output stream says it can take at once, bytes.
const OUTPUT_ROOM: u64 = 64 << 10;

/// Cases of an error by which a failure is told, the most fitting first.
const ERRORS: [&str; 4] = ["closed", "access", "access-denied", "not-permitted"];

/// The only type of all resources: handles to nothing.
enum Nothing {}

/// What a function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conduct {
    /// Answers with the emptiest value of its type; a result with its error.
    Nothing,
    /// Answers a result with its emptiest good value.
    Succeed,
    /// Says how much an output stream can take.
    Room,
    /// Says that all that is waited for is there.
    Ready,
    /// Tells the time.
    Now,
    /// Tells how fine the clock is.
    Resolution,
    /// Gives random numbers.
    Random,
    /// Ends the call.
    Exit,
}

/// Returns what the function of an interface does; `interface` has no version.
fn conduct(interface: &str, function: &str) -> Conduct {
    match (interface, function) {
        ("wasi:cli/exit", _) => Conduct::Exit,
        ("wasi:clocks/wall-clock" | "wasi:clocks/monotonic-clock", "now") => Conduct::Now,
        ("wasi:clocks/wall-clock" | "wasi:clocks/monotonic-clock", "resolution") => Conduct::Resolution,
        ("wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed", _) => Conduct::Random,
        ("wasi:io/poll", _) => Conduct::Ready,
        ("wasi:io/streams", "[method]output-stream.check-write") => Conduct::Room,
        ("wasi:io/streams", function) if function.starts_with("[method]output-stream.") => Conduct::Succeed,
        _ => Conduct::Nothing,
    }
}

/// Gives a component stand-ins for the WASI that it imports.
pub(crate) fn link(linker: &mut Linker<Sandboxed>, component: &Component) -> Result<(), wasmtime::Error> {
    let component_type = component.component_type();
    let engine = component.engine();
    for (name, import) in component_type.imports(engine).filter(|(name, _)| Provision::of(name) == Provision::InertWasi)
    {
        let ComponentItem::ComponentInstance(instance_type) = import.ty else {
            return Err(wasmtime::Error::msg(format!("`{name}` is not an interface")));
        };
        let interface = name.split('@').next().unwrap_or_default();
        let mut instance = linker.instance(name)?;
        for (item, export) in instance_type.exports(engine) {
            match export.ty {
                ComponentItem::ComponentFunc(_) => {
                    let conduct = conduct(interface, item);
                    instance.func_new(item, move |store, function, arguments, results| {
                        answer(conduct, store, &function.results().collect::<Vec<_>>(), arguments, results)
                    })?;
                }
                ComponentItem::Resource(_) => {
                    instance.resource(item, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
                }
                ComponentItem::Type(_) => {}
                _ => return Err(wasmtime::Error::msg(format!("`{name}` has `{item}`, which is no function or type"))),
            }
        }
    }
    Ok(())
}

fn answer(
    conduct: Conduct,
    mut store: StoreContextMut<'_, Sandboxed>,
    types: &[Type],
    arguments: &[Val],
    results: &mut [Val],
) -> Result<(), wasmtime::Error> {
    if conduct == Conduct::Exit {
        return Err(wasmtime::Error::msg("the component called `exit`"));
    }
    let mut answer = Answer { conduct, store: &mut store, awaited: 0, wanted: 0 };
    for argument in arguments {
        answer.take(argument)?;
    }
    for (result, answer_type) in results.iter_mut().zip(types) {
        *result = answer.value(answer_type)?;
    }
    Ok(())
}

/// One answer under way.
struct Answer<'a, 'b> {
    conduct: Conduct,
    store: &'a mut StoreContextMut<'b, Sandboxed>,
    /// Handles in the list that was handed in.
    awaited: u32,
    /// The number that was handed in.
    wanted: u64,
}

impl Answer<'_, '_> {
    /// Looks at an argument and lets go of every handle in it, as the guest expects. Long ones cost the guest fuel.
    fn take(&mut self, argument: &Val) -> Result<(), wasmtime::Error> {
        match argument {
            Val::Resource(handle) => handle.resource_drop(&mut *self.store),
            Val::U64(number) => {
                self.wanted = *number;
                Ok(())
            }
            Val::String(text) => log::charge(self.store, text.len() as u64),
            Val::List(items) => {
                log::charge(self.store, items.len() as u64)?;
                self.awaited = u32::try_from(items.len()).unwrap_or(u32::MAX);
                items.iter().try_for_each(|item| self.take(item))
            }
            Val::Tuple(items) => items.iter().try_for_each(|item| self.take(item)),
            Val::Record(fields) => fields.iter().try_for_each(|(_, field)| self.take(field)),
            Val::Variant(_, Some(value)) | Val::Option(Some(value)) => self.take(value),
            Val::Result(Ok(Some(value)) | Err(Some(value))) => self.take(value),
            _ => Ok(()),
        }
    }

    /// Returns the value that a result of that type gets.
    fn value(&mut self, result: &Type) -> Result<Val, wasmtime::Error> {
        Ok(match (self.conduct, result) {
            (Conduct::Ready, Type::Bool) => Val::Bool(true),
            (Conduct::Ready, Type::List(_)) => Val::List((0..self.awaited).map(Val::U32).collect()),
            (Conduct::Room, Type::U64) => Val::U64(OUTPUT_ROOM),
            (Conduct::Random, Type::U64) => Val::U64(self.random()),
            (Conduct::Random, Type::List(_)) => self.random_bytes()?,
            (Conduct::Now, Type::U64) => Val::U64(NOW_SECONDS * 1_000_000_000),
            (Conduct::Resolution, Type::U64) => Val::U64(1),
            (Conduct::Now | Conduct::Resolution, Type::Record(record)) => {
                let seconds = if self.conduct == Conduct::Now { NOW_SECONDS } else { 0 };
                let nanoseconds = u32::from(self.conduct == Conduct::Resolution);
                let field = |name: &str| match name {
                    "seconds" => Val::U64(seconds),
                    _ => Val::U32(nanoseconds),
                };
                Val::Record(
                    record.fields().map(|field_type| (field_type.name.to_owned(), field(field_type.name))).collect(),
                )
            }
            (Conduct::Succeed | Conduct::Room, Type::Result(result)) => {
                let good = result.ok().map(|good| self.value(&good)).transpose()?;
                Val::Result(Ok(good.map(Box::new)))
            }
            _ => self.emptiest(result)?,
        })
    }

    /// Returns the emptiest value of a type; of a result, an error.
    fn emptiest(&mut self, value: &Type) -> Result<Val, wasmtime::Error> {
        Ok(match value {
            Type::Bool => Val::Bool(false),
            Type::S8 => Val::S8(0),
            Type::U8 => Val::U8(0),
            Type::S16 => Val::S16(0),
            Type::U16 => Val::U16(0),
            Type::S32 => Val::S32(0),
            Type::U32 => Val::U32(0),
            Type::S64 => Val::S64(0),
            Type::U64 => Val::U64(0),
            Type::Float32 => Val::Float32(0.0),
            Type::Float64 => Val::Float64(0.0),
            Type::Char => Val::Char(' '),
            Type::String => Val::String(String::new()),
            Type::List(_) => Val::List(Vec::new()),
            Type::Option(_) => Val::Option(None),
            Type::Flags(_) => Val::Flags(Vec::new()),
            Type::Enum(cases) => Val::Enum(fitting(cases.names())),
            Type::Tuple(tuple) => {
                let values = tuple.types().map(|item| self.value(&item));
                Val::Tuple(values.collect::<Result<_, _>>()?)
            }
            Type::Record(record) => {
                let field = |field: wasmtime::component::types::Field<'_>| {
                    Ok((field.name.to_owned(), self.emptiest(&field.ty)?))
                };
                Val::Record(record.fields().map(field).collect::<Result<_, wasmtime::Error>>()?)
            }
            Type::Variant(variant) => {
                let name = fitting(variant.cases().map(|case| case.name));
                let payload = variant.cases().find(|case| case.name == name).and_then(|case| case.ty);
                let payload = payload.map(|payload| self.emptiest(&payload)).transpose()?;
                Val::Variant(name, payload.map(Box::new))
            }
            Type::Result(result) => match result.err() {
                Some(error) => Val::Result(Err(Some(Box::new(self.emptiest(&error)?)))),
                None => Val::Result(Err(None)),
            },
            Type::Own(_) => {
                let handle = Resource::<Nothing>::new_own(0);
                Val::Resource(handle.try_into_resource_any(&mut *self.store)?)
            }
            _ => return Err(wasmtime::Error::msg("a function of WASI has a result that nothing can stand in for")),
        })
    }

    /// SplitMix64 (Steele, Lea and Flood 2014).
    fn random(&mut self) -> u64 {
        let state = &mut self.store.data_mut().random;
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = *state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn random_bytes(&mut self) -> Result<Val, wasmtime::Error> {
        if self.wanted > MAX_RANDOM_BYTES {
            return Err(wasmtime::Error::msg(format!(
                "limit of {MAX_RANDOM_BYTES} random bytes reached ({} asked for)",
                self.wanted
            )));
        }
        log::charge(self.store, self.wanted)?;
        let bytes = (0..self.wanted).map(|_| Val::U8(self.random().to_le_bytes()[0]));
        Ok(Val::List(bytes.collect()))
    }
}

/// Returns the case by which a failure is told: the first of [`ERRORS`] that there is, else the first of all.
fn fitting<'a>(cases: impl Iterator<Item = &'a str>) -> String {
    let cases: Vec<&str> = cases.collect();
    let fitting = ERRORS.iter().find(|error| cases.contains(error)).or(cases.first());
    fitting.map(|case| (*case).to_owned()).unwrap_or_default()
}
