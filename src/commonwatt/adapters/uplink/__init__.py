"""The lines between gateways and their community: WebSocket and MQTT, both ends; whoever carries needs no trust."""
