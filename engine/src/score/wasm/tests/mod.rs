//! Components of every temper, most of them hostile, and one that a researcher would write.

mod columns;
mod guests;
mod half_life_utility;
mod hostile;
mod loading;
mod packing;
