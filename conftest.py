pytest_plugins = ["tibs_devstack.pytest_plugin"]
