import { limits } from "@messagepasser/protocol";
import type { Services } from "../../src/routing/services.ts";

/** Of the most bytes. The last character makes the rest take two bytes each in an attachment. */
export const longestInstance = `${"i".repeat(limits.maxInstanceBytes - 3)}亀`;

/** As many patterns and bytes as a session may serve. */
export const mostServices: Services = {
  alone: Array.from({ length: limits.maxServices }, (_, at) =>
    `${at}`.padEnd(limits.maxServicesBytes / limits.maxServices - 3, "p").concat("亀"),
  ),
  shared: [],
};
