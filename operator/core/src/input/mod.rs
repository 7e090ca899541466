//! The only module that names the custom resources: a manifest becomes the model, or a list of field errors.
