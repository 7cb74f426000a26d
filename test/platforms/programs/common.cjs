const { talk } = require("./talk.js");

const { MP_URL, MP_NAME, MP_SECRET } = process.env;
void talk(MP_URL, MP_NAME, MP_SECRET).then(console.log);
