//! What the OpenAPI document needs beyond what each handler says of itself.

use crate::routes::Shared;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{OpenApi, Required};
use utoipa_axum::router::OpenApiRouter;

/// The routes of one module. Their operations are called `group_handler`, which is unique since handlers of a module are,
/// and the names in their paths are described as parameters.
pub(crate) fn described(group: &str, mut routes: OpenApiRouter<Shared>) -> OpenApiRouter<Shared> {
    describe(group, routes.get_openapi_mut());
    routes
}

fn describe(group: &str, document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            let handler = operation.operation_id.take().unwrap_or_default();
            operation.operation_id = Some(format!("{group}_{handler}"));
            operation.tags = Some(vec![group.to_owned()]);
            let named = names(path).map(parameter);
            let own = operation.parameters.take().unwrap_or_default();
            let all: Vec<_> = named.chain(own).collect();
            operation.parameters = (!all.is_empty()).then_some(all);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        item.get.as_mut(),
        item.put.as_mut(),
        item.post.as_mut(),
        item.delete.as_mut(),
        item.patch.as_mut(),
    ]
    .into_iter()
    .flatten()
}

/// `machine` and `snapshot` of `/v1/machines/{machine}/snapshots/{snapshot}`.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(name: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::{BTreeMap, BTreeSet};

    /// Clients are generated from the document: a name twice, or a parameter that is not where the document says, breaks them.
    #[test]
    fn operations_have_names_of_their_own_and_parameters_where_they_belong() {
        let (_, document) = crate::routes::all().split_for_parts();
        let document = serde_json::to_value(document).unwrap();
        let mut routes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                routes
                    .entry(id.to_owned())
                    .or_default()
                    .push(format!("{method} {path}"));
                assert_eq!(
                    parameters(operation, "path"),
                    names(path).collect(),
                    "path parameters of {method} {path}"
                );
            }
        }
        let repeated: Vec<_> = routes.iter().filter(|(_, routes)| routes.len() > 1).collect();
        assert!(
            repeated.is_empty(),
            "operationIds used more than once: {repeated:?}"
        );
        assert!(
            routes.len() > 40,
            "only {} operations: is a module missing?",
            routes.len()
        );
        let delete = &document["paths"]["/v1/machines/{machine}"]["delete"];
        assert_eq!(delete["operationId"], "machines_delete");
        assert_eq!(parameters(delete, "query"), BTreeSet::from(["dry_run"]));
    }

    fn parameters<'a>(operation: &'a Value, place: &str) -> BTreeSet<&'a str> {
        operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == place)
            .filter_map(|parameter| parameter["name"].as_str())
            .collect()
    }
}
