use serde_json::{Value as Json, json};

use super::patch::Refused;
use super::service::{Answer, Service, object};

impl Service {
    /// A bulk request (RFC 7644, 3.7): answers without resources, as the RFC leaves it to the server.
    pub(super) fn bulk(&mut self, body: &[u8]) -> Result<Answer, Refused> {
        let on = self.switches.clone();
        let Some(most) = on.bulk else { return Err((501, "", "no bulk here".to_owned())) };
        if let Some(status) = on.bulk_refused {
            return Err((status, "", "no bulk today".to_owned()));
        }
        let body = object(body)?;
        let operations = body.get("Operations").and_then(Json::as_array).cloned().unwrap_or_default();
        if operations.len() > on.bulk_limit.unwrap_or(most) {
            return Err((413, "", "too many".to_owned()));
        }
        let poisoned = |operation: &Json| on.bulk_poison.is_some_and(|name| operation["data"]["userName"] == name);
        if operations.iter().any(poisoned) {
            return Err((400, "invalidValue", "one is poisoned".to_owned()));
        }
        let mut answers = Vec::new();
        for operation in &operations {
            let (answer, failed) = self.bulk_operation(operation);
            answers.push(answer);
            if failed && on.bulk_stops {
                break;
            }
        }
        answers.truncate(on.bulk_answers.unwrap_or(usize::MAX));
        let schema = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
        Ok(Answer::json(200, &json!({"schemas": [schema], "Operations": answers})))
    }

    fn bulk_operation(&mut self, operation: &Json) -> (Json, bool) {
        let method = operation["method"].as_str().unwrap_or_default().to_owned();
        let path = operation["path"].as_str().unwrap_or_default().to_owned();
        let data = operation["data"].to_string();
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let is = |what: Option<(&str, &str)>| what == Some((method.as_str(), segments.first().copied().unwrap_or("")));
        let mut told = json!({"method": method, "location": format!("http://x/scim{path}")});
        if method == "POST" {
            told["bulkId"] = operation["bulkId"].clone();
        }
        let ignored = || Ok(Answer::json(if method == "POST" { 201 } else { 200 }, &json!({"id": "nobody"})));
        let answer = match segments.as_slice() {
            _ if is(self.switches.bulk_without) => Err((501, "", "not by bulk".to_owned())),
            _ if is(self.switches.bulk_ignores) => ignored(),
            [kind] if method == "POST" => self.create(kind, data.as_bytes()),
            [kind, id] if method == "PATCH" => self.one(&method, kind, id, "", data.as_bytes()),
            _ => Err((400, "invalidPath", path.clone())),
        };
        match answer {
            Ok(answer) => {
                told["status"] = answer.status.to_string().into();
                let id = serde_json::from_str::<Json>(&answer.body)
                    .ok()
                    .and_then(|body| body["id"].as_str().map(str::to_owned));
                if let (Some(id), "POST") = (id, method.as_str()) {
                    told["location"] = format!("http://x/scim{path}/{id}").into();
                }
                (told, false)
            }
            Err(refused) => {
                told["status"] = refused.0.to_string().into();
                told["response"] = serde_json::from_str(&Answer::refused(refused).body).expect("an error");
                (told, true)
            }
        }
    }

    /// The account that the token belongs to (RFC 7644, 3.11).
    pub(super) fn me(&self) -> Result<Answer, Refused> {
        let me = self.users.iter().find(|user| self.switches.me.is_some_and(|name| user["userName"] == name));
        match me {
            Some(me) => Ok(Answer::json(200, &self.shown("Users", me, false))),
            None => Err((501, "", "nobody".to_owned())),
        }
    }
}
