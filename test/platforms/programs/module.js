import process from "node:process";
import { talk } from "./talk.js";

const { MP_URL, MP_NAME, MP_SECRET } = process.env;
console.log(await talk(MP_URL, MP_NAME, MP_SECRET));
