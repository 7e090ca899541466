pub mod yaml;
mod shape; mod source;
