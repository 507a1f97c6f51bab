//! The rules of the house, over the text of the sources.

mod layers;
mod plain;
mod words;
