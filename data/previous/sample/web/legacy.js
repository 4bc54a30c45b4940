var $scope = window.$scope || {};

function oldLogin(user) {
  // 日本語 and STRASSE: what is not ASCII must be found again, too
  return $http.post("/login", { user: user, token: $scope.token });
}

module.exports.logout = function () {
  $scope.token = null;
};

class Router {
  static #routes = new Map();

  static register(path, handler) {
    Router.#routes.set(path, handler);
  }

  get size() {
    return Router.#routes.size;
  }
}
