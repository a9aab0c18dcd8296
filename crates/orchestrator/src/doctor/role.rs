//! The least-privileged role of a pipeline. Pure.

use serde_json::{Value, json};

use super::needs::Needs;

/// The body of `PUT _security/role/NAME`.
pub fn body(needs: &Needs) -> Value {
    let request = needs.request();
    let indices: Vec<Value> = request
        .indices
        .iter()
        .map(|indices| json!({"names": indices.names, "privileges": indices.privileges}))
        .collect();
    json!({"cluster": request.cluster, "indices": indices})
}

/// The commands that make it, for a person.
pub fn commands(name: &str) -> String {
    format!(
        "# As a user who may manage security, with the role in role.json:\n\
         #   orchestrator doctor --role > role.json\n\
         #   curl -X PUT \"$ELASTICSEARCH_URL/_security/role/{name}\" -H 'Content-Type: application/json' \\\n\
         #        -u elastic --cacert \"$ELASTICSEARCH_CA_CERT\" -d @role.json\n\
         # Then give it to a user, or put it into the `role_descriptors` of an API key.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_what_is_needed_and_nothing_else() {
        let role = body(&Needs::of(None, None, &["logs-*".to_owned()]));
        let expected = json!({
            "cluster": ["monitor"],
            "indices": [{"names": ["logs-*"], "privileges": ["read", "view_index_metadata"]}],
        });
        assert_eq!(role, expected);
    }
}
