//! How requests get in: what the configuration says, and what the cluster has.

use crate::config::{self, RoutingMode};
use crate::seen::Routing;

/// The way in.
pub(crate) fn of(config: &config::Routing, gateway_api: bool) -> Routing {
    let ingress = || Routing::Ingress(config.ingress_class_name.clone());
    match (config.mode, &config.gateway_ref) {
        (RoutingMode::Ingress, _) | (RoutingMode::Auto, None) => ingress(),
        (RoutingMode::Auto, Some(_)) if !gateway_api => ingress(),
        (RoutingMode::Auto | RoutingMode::Gateway, Some(gateway)) if gateway_api => Routing::Gateway {
            namespace: gateway.namespace.clone(),
            name: gateway.name.clone(),
            section: gateway.section_name.clone(),
        },
        (_, Some(_)) => Routing::Nothing(
            "The controller is told to route by the Gateway API, which this cluster does not have; install its CRDs, or \
             set routing.mode to Ingress"
                .to_owned(),
        ),
        (RoutingMode::Gateway, None) => {
            Routing::Nothing("The controller's configuration names no Gateway in routing.gatewayRef".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GatewayRef;

    fn told(mode: RoutingMode, gateway: bool) -> config::Routing {
        let gateway_ref = GatewayRef {
            namespace: "edge".to_owned(),
            name: "public".to_owned(),
            section_name: None,
        };
        config::Routing {
            mode,
            gateway_ref: gateway.then_some(gateway_ref),
            ..Default::default()
        }
    }

    #[test]
    fn auto_takes_the_gateway_when_it_is_named_and_there() {
        let way = |gateway, api| of(&told(RoutingMode::Auto, gateway), api);
        assert!(matches!(way(true, true), Routing::Gateway { .. }));
        assert_eq!(way(true, false), Routing::Ingress(None));
        assert_eq!(way(false, true), Routing::Ingress(None));
    }

    #[test]
    fn gateway_without_its_api_is_nothing_and_says_so() {
        let way = |api| of(&told(RoutingMode::Gateway, true), api);
        assert!(matches!(way(true), Routing::Gateway { .. }));
        assert!(matches!(way(false), Routing::Nothing(why) if why.contains("CRDs")));
        assert_eq!(
            of(&told(RoutingMode::Ingress, true), true),
            Routing::Ingress(None)
        );
    }
}
