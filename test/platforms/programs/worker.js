import { talk } from "./talk.js";

export default {
  async fetch(request) {
    const { url, name, secret } = await request.json();
    return new Response(await talk(url, name, secret));
  },
};
