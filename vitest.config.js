// So that `npx vitest run connectors/<type>` finds the one configuration, from the project's root.
export { default } from "./test/vitest.config.ts";
