//! Components that are legal and small, or hardly larger than is legal, and that keep a compiler busy.

/// Returns a number as LEB128.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Returns bytes with their length before them.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [number(bytes.len()), bytes.to_vec()].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], sized(content)].concat()
}

/// Returns a section that is a list of items.
fn list(id: u8, items: impl ExactSizeIterator<Item = Vec<u8>>) -> Vec<u8> {
    let content = [number(items.len()), items.flatten().collect()].concat();
    section(id, &content)
}

fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0".to_vec(), sections.concat()].concat()
}

fn core_module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

/// Returns a component with a module of functions from nothing to nothing; a body has its locals and its end.
fn functions(bodies: impl ExactSizeIterator<Item = Vec<u8>> + Clone) -> Vec<u8> {
    let module = core_module(&[
        section(1, &[1, 0x60, 0, 0]),
        list(3, bodies.clone().map(|_| vec![0])),
        // A variable number, which no compiler can know.
        section(6, &[1, 0x7e, 1, 0x42, 0, 0x0b]),
        list(10, bodies.map(|body| sized(&body))),
    ]);
    component(&[section(1, &module)])
}

/// One function that mixes many locals for very long. Every local lives from the first operation to the last, and none
/// can be computed ahead.
pub(super) fn many_locals(locals: usize, operations: usize) -> Vec<u8> {
    const GLOBAL_GET: u8 = 0x23;
    const GLOBAL_SET: u8 = 0x24;
    let mut body = [vec![1], number(locals), vec![0x7e]].concat();
    for local in 0..locals {
        body.extend([vec![GLOBAL_GET, 0, 0x42, (local % 61) as u8, 0x89, 0x21], number(local)].concat());
    }
    for operation in 0..operations {
        let local = |factor: usize| number((operation.wrapping_mul(factor) >> 7) % locals);
        let mix = [0x7c, 0x7e, 0x85][operation % 3];
        body.extend([vec![0x20], local(7_919), vec![0x20], local(104_729), vec![mix, 0x21], local(1_299_709)].concat());
    }
    for local in 0..locals {
        body.extend([vec![GLOBAL_GET, 0, 0x20], number(local), vec![0x85, GLOBAL_SET, 0]].concat());
    }
    body.push(0x0b);
    functions([body].into_iter())
}

pub(super) fn many_functions(count: usize) -> Vec<u8> {
    // Something to do in each: 40 additions.
    let body = [vec![1, 1, 0x7e], [0x20, 0, 0x20, 0, 0x7c, 0x21, 0].repeat(40), vec![0x0b]].concat();
    functions((0..count).map(move |_| body.clone()))
}

pub(super) fn long_branch_table(cases: usize) -> Vec<u8> {
    let blocks = 64;
    let mut body = vec![0];
    body.extend([0x02, 0x40].repeat(blocks));
    body.extend(
        [vec![0x41, 0, 0x0e], number(cases), (0..cases).flat_map(|case| number(case % blocks)).collect()].concat(),
    );
    body.extend([vec![0], vec![0x0b; blocks], vec![0x0b]].concat());
    functions([body].into_iter())
}

pub(super) fn deep_blocks(depth: usize) -> Vec<u8> {
    functions([[vec![0], [0x02, 0x40].repeat(depth), vec![0x0b; depth + 1]].concat()].into_iter())
}

pub(super) fn many_types(count: usize) -> Vec<u8> {
    let module = core_module(&[list(
        1,
        (0..count).map(|index| {
            // A type of its own for every index: 20 parameters of two kinds.
            let parameters: Vec<u8> = (0..20).map(|bit| 0x7e + ((index >> bit) & 1) as u8).collect();
            [vec![0x60], sized(&parameters), vec![0]].concat()
        }),
    )]);
    component(&[section(1, &module)])
}

pub(super) fn many_exports(count: usize) -> Vec<u8> {
    let export = |index: usize| [sized(format!("export-{index}").as_bytes()), vec![0, 0]].concat();
    let module = core_module(&[
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[1, 0]),
        list(7, (0..count).map(export)),
        section(10, &[1, 2, 0, 0x0b]),
    ]);
    component(&[section(1, &module)])
}

/// A module, instantiated again and again.
pub(super) fn many_instances(count: usize) -> Vec<u8> {
    component(&[section(1, &core_module(&[])), list(2, (0..count).map(|_| vec![0, 0, 0]))])
}

/// A component in a component in a component.
pub(super) fn nested_components(depth: usize) -> Vec<u8> {
    (0..depth).fold(component(&[]), |inner, _| component(&[section(4, &inner)]))
}
